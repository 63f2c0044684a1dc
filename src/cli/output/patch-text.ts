/**
 * Differences between two generations as text, in git's form: patch(1) takes it. What git has no line for (owners, sizes, digests)
 * stands where patch skips it.
 */
import { formatBytes } from '../../base/units.ts';
import type { FileDifference, FileSide } from '../../projection/history/file-differences.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';

export type PatchTerminal = Pick<Terminal, 'paint' | 'isTerminal'>;

/** Regular file, as git writes modes. */
const gitMode = ({ mode }: FileSide): string => `100${mode.toString(8).padStart(3, '0')}`;
const owner = ({ uid, gid }: FileSide): string => `${uid}:${gid}`;

/** To the byte, unless a person looks at it: then control characters are shown as escapes. */
export function formatPatch(files: readonly FileDifference[], terminal: PatchTerminal): string {
  return files.map((file) => formatFile(file, terminal)).join('');
}

function formatFile(file: FileDifference, terminal: PatchTerminal): string {
  const { paint } = terminal;
  const [oldName, newName] = [quoted(`a/${file.path}`), quoted(`b/${file.path}`)];
  const head = [`diff --git ${oldName} ${newName}`, ...modeLines(file), ...ownerLines(file)];
  const [from, to] = [
    file.before === undefined ? '/dev/null' : oldName,
    file.after === undefined ? '/dev/null' : newName,
  ];
  const lines = head.map((line) => paint('bold', line));
  if (file.shown === 'text') {
    if (file.hunks.length > 0) lines.push(paint('bold', `--- ${ended(from)}`), paint('bold', `+++ ${ended(to)}`));
    for (const hunk of file.hunks) {
      const ranges = `-${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)}`;
      lines.push(paint('dim', `@@ ${ranges} @@`), ...hunk.lines.map((line) => contentLine(line, terminal)));
    }
  } else {
    lines.push(...contentLines(file, from, to));
  }
  return `${lines.join('\n')}\n`;
}

function modeLines({ before, after }: FileDifference): string[] {
  if (before === undefined) return after === undefined ? [] : [`new file mode ${gitMode(after)}`];
  if (after === undefined) return [`deleted file mode ${gitMode(before)}`];
  return before.mode === after.mode ? [] : [`old mode ${gitMode(before)}`, `new mode ${gitMode(after)}`];
}

/** Root's are not worth a line. */
function ownerLines({ before, after }: FileDifference): string[] {
  if (before !== undefined && after !== undefined) {
    return owner(before) === owner(after) ? [] : [`old owner ${owner(before)}`, `new owner ${owner(after)}`];
  }
  const only = before ?? after;
  if (only === undefined || owner(only) === '0:0') return [];
  return [`${before === undefined ? 'new' : 'deleted'} file owner ${owner(only)}`];
}

function contentLines({ before, after, content, shown }: FileDifference, from: string, to: string): string[] {
  const sizes = [before, after].filter((side) => side !== undefined).map(described);
  switch (shown) {
    case 'binary':
      return [`Binary files ${from} and ${to} differ`, sizes.join(' -> ')];
    case 'too-large':
      return [`Files ${from} and ${to} differ and are too large to show`, sizes.join(' -> ')];
    case 'secret':
      if (content === 'same') return [];
      return [
        content === 'unknown' ? 'Content may differ: the key of one of the two is gone' : 'Content differs',
        sizes.join(' -> '),
      ];
    default:
      return [];
  }
}

function described({ sizeBytes, sha256 }: FileSide): string {
  return sha256 === undefined ? formatBytes(sizeBytes) : `${formatBytes(sizeBytes)} sha256:${sha256.slice(0, 12)}`;
}

/** A count of one is left out. */
const range = (start: number, lines: number): string => (lines === 1 ? String(start) : `${start},${lines}`);

function contentLine(content: string, { paint, isTerminal }: PatchTerminal): string {
  const line = isTerminal ? content.split('\t').map(printable).join('\t') : content;
  if (line.startsWith('+')) return paint('green', line);
  return line.startsWith('-') ? paint('red', line) : line;
}

/** A tab says where a name with blanks ends. */
const ended = (name: string): string => (name.includes(' ') ? `${name}\t` : name);

/** As git quotes names: those with control characters, quotes or backslashes. */
function quoted(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!/[\u0000-\u001f\u007f"\\]/.test(name)) return name;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const escaped = name.replace(/[\u0000-\u001f\u007f"\\]/g, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${escaped}"`;
}
