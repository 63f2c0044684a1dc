import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makePlace, removePlace } from '../../../src/alloc/service/mount-places.ts';

function makeTask(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mount-places-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'local'));
  chmodSync(join(folder, 'local'), 0o777);
  return folder;
}

test('makePlace makes what is missing, says from where on, and may be repeated', (t) => {
  const task = makeTask(t);
  assert.equal(makePlace(task, 'local/conf/db'), 'local/conf');
  assert.equal(statSync(join(task, 'local/conf/db')).mode & 0o7777, 0o755);
  assert.equal(makePlace(task, 'local/conf/db'), undefined);
  assert.equal(makePlace(task, 'local/conf/web'), 'local/conf/web');
});

test('makePlace follows no link, wherever the task has put it', (t) => {
  const task = makeTask(t);
  const outside = makeTask(t);
  symlinkSync(outside, join(task, 'local/conf'));
  assert.throws(() => makePlace(task, 'local/conf/db'), { name: 'DunnageError' });
  assert.equal(existsSync(join(outside, 'db')), false);
  symlinkSync('/etc', join(task, 'local/db'));
  assert.throws(() => makePlace(task, 'local/db'), { name: 'DunnageError' });
});

test('makePlace refuses a directory with files, which a mount would hide, and a file', (t) => {
  const task = makeTask(t);
  mkdirSync(join(task, 'local/db'));
  writeFileSync(join(task, 'local/db/mine'), '');
  assert.throws(() => makePlace(task, 'local/db'), { code: 'NOT_EMPTY' });
  writeFileSync(join(task, 'local/file'), '');
  assert.throws(() => makePlace(task, 'local/file'), { code: 'NOT_A_DIRECTORY' });
});

test('removePlace takes away what was made for it, and nothing of the task', (t) => {
  const task = makeTask(t);
  makePlace(task, 'local/conf/deep/db');
  assert.equal(removePlace(task, 'local/conf/deep/db'), true);
  assert.equal(existsSync(join(task, 'local/conf')), false);
  assert.equal(existsSync(join(task, 'local')), true);
  makePlace(task, 'local/kept/db');
  writeFileSync(join(task, 'local/kept/mine'), '');
  assert.equal(removePlace(task, 'local/kept/db'), true);
  assert.equal(existsSync(join(task, 'local/kept/mine')), true);
});

test('removePlace leaves what the task has put there instead, and says so', (t) => {
  const task = makeTask(t);
  const outside = makeTask(t);
  assert.equal(removePlace(task, 'local/none'), false);
  symlinkSync(outside, join(task, 'local/db'));
  assert.equal(removePlace(task, 'local/db'), false);
  assert.equal(removePlace(task, 'local/db/local'), false);
  assert.equal(existsSync(join(outside, 'local')), true);
});
