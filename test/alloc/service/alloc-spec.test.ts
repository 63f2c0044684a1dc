import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AllocSpec, changeOf, type TaskSpec } from '../../../src/alloc/service/alloc-spec.ts';

const task = (name: string, more: Partial<TaskSpec> = {}): TaskSpec => ({
  ...{ name, isolation: 'none', secretsSizeBytes: 4096, secretsOnDisk: false, chroot: {}, projections: [] },
  ...more,
});
const alloc = (...tasks: TaskSpec[]): AllocSpec => ({ id: 'a', tasks });

test('the same is no change', () => {
  assert.equal(changeOf(alloc(task('web')), alloc(task('web'))), undefined);
});

test('tasks may be added, and projections of a task may change', () => {
  const projections = [{ name: 'secret.db', path: 'local/db' }];
  const change = changeOf(alloc(task('web')), alloc(task('web', { projections }), task('log')));
  assert.deepEqual(
    change?.added.map(({ name }) => name),
    ['log'],
  );
  assert.deepEqual(
    change?.presented.map(({ name }) => name),
    ['web'],
  );
});

test('everything else needs a new alloc, and the complaint names it', () => {
  const before = alloc(task('web'), task('log'));
  const changes: readonly [AllocSpec, RegExp][] = [
    [alloc(task('web')), /task log is missing/],
    [alloc(task('web', { user: '5' }), task('log')), /user of task web/],
    [alloc(task('web', { isolation: 'image' }), task('log')), /isolation of task web/],
    [alloc(task('web'), task('log', { secretsSizeBytes: 8192 })), /secretsSizeBytes of task log/],
    [alloc(task('web', { chroot: { '/bin': 'bin' } }), task('log')), /chroot of task web/],
  ];
  for (const [after, message] of changes) assert.throws(() => changeOf(before, after), { code: 'IMMUTABLE', message });
});
