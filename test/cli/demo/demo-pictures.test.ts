import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { drawTimeline, drawTree, formatMode, readTree, toTimeline } from '../../../src/cli/demo/demo-pictures.ts';

test('formatMode: as ls shows it', () => {
  assert.equal(formatMode(0o100640), '-rw-r-----');
  assert.equal(formatMode(0o040755), 'drwxr-xr-x');
  assert.equal(formatMode(0o120777), 'lrwxrwxrwx');
  assert.equal(formatMode(0o010600), '?rw-------');
});

test('drawTree: what readTree found, sorted, with links and branches', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pictures-'));
  try {
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'a/inner'), '');
    await writeFile(join(folder, 'b'), '');
    await symlink('a/inner', join(folder, 'link'));
    for (const [path, mode] of [
      ['a', 0o755],
      ['a/inner', 0o400],
      ['b', 0o644],
    ] as const)
      await chmod(join(folder, path), mode);
    assert.deepEqual(drawTree(await readTree(folder)), [
      'drwxr-xr-x  ├── a/',
      '-r--------  │   └── inner',
      '-rw-r--r--  ├── b',
      'lrwxrwxrwx  └── link -> a/inner',
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('toTimeline: events and new values since the start, in the order of time, reports left out', () => {
  const timeline = toTimeline(
    [
      { type: 'value', atMs: 103.25, value: 'new' },
      { type: 'event', atMs: 102.5, event: 'MOVED_TO', name: '..data' },
      { type: 'report', reads: 1, failures: 0, firstFailure: undefined, longestReadMs: 1 },
    ],
    100,
  );
  assert.deepEqual(timeline, [
    { afterMs: 2.5, what: 'MOVED_TO    ..data' },
    { afterMs: 3.25, what: 'a read gives "new"' },
  ]);
  assert.deepEqual(drawTimeline(timeline), ['    +2.50 ms  MOVED_TO    ..data', '    +3.25 ms  a read gives "new"']);
});
