/**
 * Two texts as the hunks of a unified diff: what `patch` needs to make the second of the first, to the byte. A line is
 * what ends with a line feed; a carriage return is content.
 *
 * The search for the shortest edit is quadratic in its length, so it is given up beyond a bound: the part between the
 * common beginning and the common end is then shown as replaced. That is as right, only longer.
 */
import { diffArrays } from 'diff';
import { limits } from '../../base/limits.ts';

export interface Hunk {
  /** First line, counted from 1; the line before if the hunk has no line of that side. */
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** Each begins with ` `, `-`, `+`, or is `\ No newline at end of file`. Without line feeds. */
  readonly lines: readonly string[];
}

export const NO_NEWLINE = '\\ No newline at end of file';
const CONTEXT_LINES = 3;

/** A run of lines that both sides have (`keep`), or that one has. */
interface Edit {
  readonly kind: 'keep' | 'remove' | 'add';
  readonly count: number;
}

/** No hunks if the texts are equal. */
export function unifiedHunks(oldText: string, newText: string, editsMax: number = limits.diffEditsMax): Hunk[] {
  const oldLines = splitLines(oldText);
  const newLines = splitLines(newText);
  const edits = findEdits(oldLines, newLines, editsMax);
  return groupEdits(edits).map((group) => makeHunk(group, oldLines, newLines));
}

/** Lines with their line feeds; the last one may have none. */
function splitLines(text: string): string[] {
  const lines = text.split('\n').map((line) => `${line}\n`);
  const last = lines.pop()?.slice(0, -1);
  return last === undefined || last === '' ? lines : [...lines, last];
}

function findEdits(oldLines: readonly string[], newLines: readonly string[], editsMax: number): Edit[] {
  const shorter = Math.min(oldLines.length, newLines.length);
  let head = 0;
  while (head < shorter && oldLines[head] === newLines[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && oldLines.at(-1 - tail) === newLines.at(-1 - tail)) tail += 1;
  const middle = findMiddle(
    oldLines.slice(head, oldLines.length - tail),
    newLines.slice(head, newLines.length - tail),
    editsMax,
  );
  const edits: Edit[] = [{ kind: 'keep', count: head }, ...middle, { kind: 'keep', count: tail }];
  return edits.filter(({ count }) => count > 0);
}

function findMiddle(oldLines: readonly string[], newLines: readonly string[], editsMax: number): Edit[] {
  const numbers = new Map<string, number>();
  const numberOf = (line: string): number => {
    const known = numbers.get(line) ?? numbers.size;
    numbers.set(line, known);
    return known;
  };
  const changes = diffArrays(oldLines.map(numberOf), newLines.map(numberOf), { maxEditLength: editsMax });
  if (changes === undefined) {
    return [
      { kind: 'remove', count: oldLines.length },
      { kind: 'add', count: newLines.length },
    ];
  }
  return changes.map(({ added, removed, count }) => ({ kind: removed ? 'remove' : added ? 'add' : 'keep', count }));
}

interface Group {
  readonly edits: Edit[];
  /** Lines of each side before the group. */
  readonly oldBefore: number;
  readonly newBefore: number;
}

/** Changes that are near each other share a hunk; around each group are some lines of context. */
function groupEdits(edits: readonly Edit[]): Group[] {
  const groups: Group[] = [];
  let group: Group | undefined;
  let [oldLine, newLine] = [0, 0];
  for (const [position, { kind, count }] of edits.entries()) {
    if (kind === 'keep') {
      const isLast = position === edits.length - 1;
      const isGap = isLast || count > 2 * CONTEXT_LINES;
      if (group !== undefined) group.edits.push({ kind, count: isGap ? Math.min(count, CONTEXT_LINES) : count });
      if (isGap) group = undefined;
    } else {
      if (group === undefined) {
        const before = Math.min(oldLine, newLine, CONTEXT_LINES, keptBefore(edits, position));
        group = { edits: [{ kind: 'keep', count: before }], oldBefore: oldLine - before, newBefore: newLine - before };
        groups.push(group);
      }
      group.edits.push({ kind, count });
    }
    if (kind !== 'add') oldLine += count;
    if (kind !== 'remove') newLine += count;
  }
  return groups;
}

function keptBefore(edits: readonly Edit[], position: number): number {
  const before = edits[position - 1];
  return before?.kind === 'keep' ? before.count : 0;
}

function makeHunk(
  { edits, oldBefore, newBefore }: Group,
  oldLines: readonly string[],
  newLines: readonly string[],
): Hunk {
  const lines: string[] = [];
  let [oldLine, newLine] = [oldBefore, newBefore];
  for (const { kind, count } of edits) {
    const run = kind === 'add' ? newLines.slice(newLine, newLine + count) : oldLines.slice(oldLine, oldLine + count);
    const mark = kind === 'keep' ? ' ' : kind === 'add' ? '+' : '-';
    for (const line of run) {
      if (line.endsWith('\n')) lines.push(`${mark}${line.slice(0, -1)}`);
      else lines.push(`${mark}${line}`, NO_NEWLINE);
    }
    if (kind !== 'add') oldLine += count;
    if (kind !== 'remove') newLine += count;
  }
  const [oldCount, newCount] = [oldLine - oldBefore, newLine - newBefore];
  return {
    oldStart: oldCount === 0 ? oldBefore : oldBefore + 1,
    oldLines: oldCount,
    newStart: newCount === 0 ? newBefore : newBefore + 1,
    newLines: newCount,
    lines,
  };
}
