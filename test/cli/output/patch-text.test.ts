import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { formatPatch, type PatchTerminal } from '../../../src/cli/output/patch-text.ts';
import type { FileDifference, FileSide } from '../../../src/projection/history/file-differences.ts';
import { unifiedHunks } from '../../../src/projection/history/unified-hunks.ts';

const plain: PatchTerminal = { paint: (_colour, text) => text, isTerminal: false };
const SHA = 'ab'.repeat(32);
const side = (more: Partial<FileSide> = {}): FileSide => ({
  ...{ mode: 0o644, uid: 0, gid: 0 },
  sizeBytes: 2,
  sha256: SHA,
  ...more,
});

function difference(path: string, more: Partial<FileDifference>): FileDifference {
  return {
    ...{ path, change: 'modified', before: side(), after: side(), content: 'differs', shown: 'text', hunks: [] },
    ...more,
  };
}

const text = (path: string, before: string | undefined, after: string | undefined): FileDifference =>
  difference(path, {
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'modified',
    before: before === undefined ? undefined : side(),
    after: after === undefined ? undefined : side(),
    hunks: unifiedHunks(before ?? '', after ?? ''),
  });

describe('a patch', () => {
  it('shows changed text as git does', () => {
    assert.equal(
      formatPatch([text('conf/app.ini', 'a\nb\n', 'a\nc\n')], plain),
      'diff --git a/conf/app.ini b/conf/app.ini\n--- a/conf/app.ini\n+++ b/conf/app.ini\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n',
    );
  });

  it('shows new and deleted files', () => {
    assert.equal(
      formatPatch([text('gone', 'x\n', undefined), text('made', undefined, 'y\n')], plain),
      'diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n' +
        'diff --git a/made b/made\nnew file mode 100644\n--- /dev/null\n+++ b/made\n@@ -0,0 +1 @@\n+y\n',
    );
  });

  it('shows modes and owners', () => {
    const after = side({ mode: 0o400, uid: 7, gid: 8 });
    assert.equal(
      formatPatch([difference('key', { after, content: 'same', shown: 'none' })], plain),
      'diff --git a/key b/key\nold mode 100644\nnew mode 100400\nold owner 0:0\nnew owner 7:8\n',
    );
    assert.match(
      formatPatch([difference('key', { change: 'added', before: undefined, after })], plain),
      /new file owner 7:8/,
    );
  });

  it('shows what is no text by size and digest', () => {
    const sizes = { before: side(), after: side({ sizeBytes: 3 * 1024 * 1024, sha256: 'cd'.repeat(32) }) };
    const described = '2 B sha256:abababababab -> 3 MiB sha256:cdcdcdcdcdcd\n';
    assert.equal(
      formatPatch([difference('logo', { ...sizes, shown: 'binary' })], plain),
      `diff --git a/logo b/logo\nBinary files a/logo and b/logo differ\n${described}`,
    );
    assert.match(
      formatPatch([difference('big', { ...sizes, shown: 'too-large' })], plain),
      new RegExp(`too large to show\n${described}`),
    );
  });

  it('of a Secret has sizes only', () => {
    const secret = {
      before: side({ sha256: undefined }),
      after: side({ sha256: undefined, sizeBytes: 5 }),
      shown: 'secret',
    } as const;
    assert.equal(
      formatPatch([difference('key', secret)], plain),
      'diff --git a/key b/key\nContent differs\n2 B -> 5 B\n',
    );
    assert.match(formatPatch([difference('key', { ...secret, content: 'unknown' })], plain), /Content may differ/);
    const mode = side({ sha256: undefined, mode: 0o400 });
    assert.equal(
      formatPatch([difference('key', { ...secret, after: mode, content: 'same' })], plain),
      'diff --git a/key b/key\nold mode 100644\nnew mode 100400\n',
    );
  });

  it('quotes names that would be mistaken', () => {
    assert.match(
      formatPatch([text('a b', '1\n', '2\n')], plain),
      /^diff --git a\/a b b\/a b\n--- a\/a b\t\n\+\+\+ b\/a b\t\n/,
    );
    assert.match(formatPatch([text('x\ny"', '1\n', '2\n')], plain), /^diff --git "a\/x\\012y\\"" "b\/x\\012y\\""\n/);
  });

  it('does not let content drive the terminal it is shown on', () => {
    const files = [text('a', '', '\u001b[2J\tcell\n')];
    assert.match(formatPatch(files, { ...plain, isTerminal: true }), /\n\+\\x1b\[2J\tcell\n$/);
    assert.ok(formatPatch(files, plain).endsWith('\n+\u001b[2J\tcell\n'));
  });

  it('is painted line by line', () => {
    const painted = formatPatch([text('a', '1\n', '2\n')], { ...plain, paint: (colour, line) => `<${colour}>${line}` });
    assert.match(painted, /<dim>@@ -1 \+1 @@\n<red>-1\n<green>\+2\n$/);
  });

  it('is taken by patch(1), whatever stands between', () => {
    const folder = mkdtempSync(join(tmpdir(), 'patch-'));
    try {
      const before: Record<string, string> = { 'a/b': '1\n2\n', gone: 'x\n', 'with blank': 'old', owned: '1\n' };
      const after: Record<string, string> = { 'a/b': '1\n3\n', made: 'y', 'with blank': 'new\n', owned: '2\n' };
      for (const [path, content] of Object.entries(before)) {
        mkdirSync(join(folder, dirname(path)), { recursive: true });
        writeFileSync(join(folder, path), content);
      }
      const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])];
      const files = paths.map((path) => text(path, before[path], after[path]));
      files.push(difference('binary', { shown: 'binary' }));
      const owned = files.findIndex(({ path }) => path === 'owned');
      files[owned] = { ...(files[owned] as FileDifference), after: side({ uid: 7, mode: 0o600 }) };
      execFileSync('patch', ['-p1', '--quiet', '--fuzz=0', '-d', folder], {
        input: formatPatch(files, plain),
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const found = Object.fromEntries(
        readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
      );
      assert.deepEqual(found, after);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
