import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Hunk, NO_NEWLINE, unifiedHunks } from '../../../src/projection/history/unified-hunks.ts';

const header = ({ oldStart, oldLines, newStart, newLines }: Hunk): string =>
  `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`;

function patchText(hunks: readonly Hunk[]): string {
  return ['--- a', '+++ b', ...hunks.flatMap((hunk) => [header(hunk), ...hunk.lines]), ''].join('\n');
}

/** What patch(1), which knows nothing of ours, makes of the old text. */
function patched(oldText: string, hunks: readonly Hunk[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'hunks-'));
  try {
    const file = join(folder, 'a');
    writeFileSync(file, oldText);
    execFileSync('patch', ['--binary', '--quiet', '--fuzz=0', '-o', join(folder, 'b'), file], {
      input: patchText(hunks),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return readFileSync(join(folder, 'b'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Applies hunks by the rules of the format; refuses context that does not match. */
function apply(oldText: string, hunks: readonly Hunk[]): string {
  const source = oldText.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const result: string[] = [];
  let at = 0;
  for (const { oldStart, oldLines, newLines, lines } of hunks) {
    const start = oldLines === 0 ? oldStart : oldStart - 1;
    assert.ok(start >= at);
    result.push(...source.slice(at, start));
    at = start;
    const produced = result.length;
    for (const [index, line] of lines.entries()) {
      if (line === NO_NEWLINE) continue;
      const content = `${line.slice(1)}${lines[index + 1] === NO_NEWLINE ? '' : '\n'}`;
      if (line[0] !== '+') assert.equal(source[at++], content);
      if (line[0] !== '-') result.push(content);
    }
    assert.equal(at, start + oldLines);
    assert.equal(result.length, produced + newLines);
  }
  return [...result, ...source.slice(at)].join('');
}

describe('unifiedHunks', () => {
  it('shows a changed line with three lines around it', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
    const changed = lines.with(9, 'another');
    assert.deepEqual(unifiedHunks(`${lines.join('\n')}\n`, `${changed.join('\n')}\n`), [
      {
        oldStart: 7,
        oldLines: 7,
        newStart: 7,
        newLines: 7,
        lines: [' line 7', ' line 8', ' line 9', '-line 10', '+another', ' line 11', ' line 12', ' line 13'],
      },
    ]);
  });

  it('keeps changes apart that have more than six equal lines between them, and joins others', () => {
    const lines = Array.from({ length: 30 }, (_, index) => `${index}\n`);
    const starts = (second: number): number[] =>
      unifiedHunks(lines.join(''), lines.with(5, 'x\n').with(second, 'y\n').join('')).map(({ oldStart }) => oldStart);
    assert.deepEqual(starts(12), [3]);
    assert.deepEqual(starts(13), [3, 11]);
  });

  it('says where a text does not end with a line feed', () => {
    assert.deepEqual(unifiedHunks('a', 'a\n')[0]?.lines, ['-a', NO_NEWLINE, '+a']);
    assert.deepEqual(unifiedHunks('x\na', 'y\na')[0]?.lines, ['-x', '+y', ' a', NO_NEWLINE]);
  });

  it('counts from the line before where a side has no line', () => {
    assert.equal(header(unifiedHunks('', 'a\nb\n')[0] as Hunk), '@@ -0,0 +1,2 @@');
    assert.equal(header(unifiedHunks('a\n', '')[0] as Hunk), '@@ -1,1 +0,0 @@');
  });

  it('has no hunk for equal texts', () => {
    for (const text of ['', 'a', 'a\nb\n']) assert.deepEqual(unifiedHunks(text, text), []);
  });

  it('keeps carriage returns, byte order marks and other control characters', () => {
    const [hunk] = unifiedHunks('a\r\nb\n', '\ufeffa\n\u001b[1mb\r\n');
    assert.deepEqual(hunk?.lines, ['-a\r', '-b', '+\ufeffa', '+\u001b[1mb\r']);
  });

  const word = fc.constantFrom('', 'a', 'b', 'c\r', ' ', '-', '+', '\\ x', '@@ -1,1 +1,1 @@');
  const textOf = fc
    .tuple(fc.array(word, { maxLength: 30 }), fc.boolean())
    .map(([lines, ended]) => lines.join('\n') + (ended ? '\n' : ''));

  it('makes the new text of the old one, whatever they are', () => {
    fc.assert(
      fc.property(textOf, textOf, fc.constantFrom(0, 1, 4, 2000), (oldText, newText, editsMax) => {
        assert.equal(apply(oldText, unifiedHunks(oldText, newText, editsMax)), newText);
      }),
      { numRuns: 1000 },
    );
  });

  it('is what patch(1) understands', () => {
    fc.assert(
      fc.property(textOf, textOf, (oldText, newText) => {
        fc.pre(oldText !== newText && newText !== '');
        assert.equal(patched(oldText, unifiedHunks(oldText, newText)), newText);
      }),
      { numRuns: 25 },
    );
  });

  it('shows texts that have little in common as replaced, instead of searching for ever', () => {
    const text = (prefix: string): string => Array.from({ length: 20_000 }, (_, line) => `${prefix}${line}\n`).join('');
    const [hunk, ...more] = unifiedHunks(`same\n${text('a')}`, `same\n${text('b')}`);
    assert.deepEqual(more, []);
    assert.deepEqual([hunk?.oldLines, hunk?.newLines], [20_001, 20_001]);
  });
});
