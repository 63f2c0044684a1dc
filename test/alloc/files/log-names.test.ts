import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findClosest, type LogFile, logIndex, stableLogStream } from '../../../src/alloc/files/log-names.ts';

const file = (index: number, type = 'stdout'): LogFile => ({ name: `web.${type}.${index}`, index, sizeBytes: 100 });
const stdout = [file(2), file(0), file(3), file(1)];
const stderr = [0, 1, 2].map((index) => file(index, 'stderr'));
const MAX = Number.MAX_SAFE_INTEGER;

describe('findClosest', () => {
  const rows: readonly (readonly [
    files: readonly LogFile[],
    index: number,
    offset: number,
    name: string,
    at: number,
  ])[] = [
    [stdout, 0, -100, 'web.stdout.0', 0],
    [stdout, 1, -1000, 'web.stdout.0', 0],
    [stdout, 1, 10, 'web.stdout.1', 10],
    [stdout, 1, 110, 'web.stdout.2', 10],
    [stdout, MAX, MAX, 'web.stdout.3', 100],
    [stdout, MAX, -10, 'web.stdout.3', 90],
    [stderr, MAX, MAX, 'web.stderr.2', 100],
    [stdout, MAX, -250, 'web.stdout.1', 50],
    [stdout, 0, 250, 'web.stdout.2', 50],
    [[file(3), file(20)], 19, 0, 'web.stdout.20', 0],
    [[file(3), file(20)], 4, 0, 'web.stdout.3', 0],
  ];
  for (const [files, index, offset, name, at] of rows) {
    test(`index ${index}, offset ${offset} of ${files.length} files: ${name} at ${at}`, () => {
      const found = findClosest(files, index, offset);
      assert.deepEqual([found?.file.name, found?.offset], [name, at]);
    });
  }

  test('no file: nothing', () => assert.equal(findClosest([], 0, 0), undefined));
});

test('only names of that task and type have an index', () => {
  const stream = { task: 'web', type: 'stdout' } as const;
  assert.equal(logIndex('web.stdout.0', stream), 0);
  assert.equal(logIndex('web.stdout.17', stream), 17);
  for (const name of ['web.stderr.0', 'db.stdout.0', 'web.stdout', 'web.stdout.', 'web.stdout.01', 'web.stdout.1x']) {
    assert.equal(logIndex(name, stream), undefined, name);
  }
  assert.equal(logIndex('a.stdout.b.stdout.3', { task: 'a.stdout.b', type: 'stdout' }), 3);
});

test('the name without an index is the stable one, of tasks that exist', () => {
  assert.deepEqual(stableLogStream(['alloc', 'logs', 'web.stderr'], ['web']), { task: 'web', type: 'stderr' });
  for (const path of [
    'alloc/logs/db.stdout',
    'alloc/web.stdout',
    'alloc/logs/x/web.stdout',
    'alloc/logs/web.stdout.0',
  ]) {
    assert.equal(stableLogStream(path.split('/'), ['web']), undefined, path);
  }
});
