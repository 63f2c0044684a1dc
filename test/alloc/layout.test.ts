import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AllocGRPCSocket,
  AllocHTTPSocket,
  LogDirName,
  requireAllocId,
  requireTaskName,
  SharedAllocContainerPath,
  SharedAllocDirs,
  SharedAllocName,
  SharedDataDir,
  TaskDirs,
  TaskLocal,
  TaskLocalContainerPath,
  TaskSecrets,
  TaskSecretsContainerPath,
  TmpDirName,
} from '../../src/alloc/layout.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';

test('the constants have the values that programs for task directories rely on', () => {
  assert.deepEqual(
    [SharedAllocName, LogDirName, SharedDataDir, TmpDirName, TaskLocal, TaskSecrets],
    ['alloc', 'logs', 'data', 'tmp', 'local', 'secrets'],
  );
  assert.deepEqual(SharedAllocDirs, ['logs', 'tmp', 'data']);
  assert.deepEqual(TaskDirs, { tmp: 0o1777 });
  assert.deepEqual(
    [SharedAllocContainerPath, TaskLocalContainerPath, TaskSecretsContainerPath],
    ['/alloc', '/local', '/secrets'],
  );
  assert.deepEqual([AllocGRPCSocket, AllocHTTPSocket], ['alloc/tmp/consul_grpc.sock', 'alloc/tmp/consul_http.sock']);
});

test('names that are single path components are taken', () => {
  for (const name of ['5f8c2d3e-0000-1111-2222-333344445555', 'web', 'a b', 'ö', 'x'.repeat(255)]) {
    requireAllocId(name);
    requireTaskName(name);
  }
  requireAllocId('alloc');
});

test('names that would leave their directory, or are reserved, are refused', () => {
  for (const name of ['', '.', '..', '.hidden', 'a/b', '/', 'a\0b']) {
    for (const check of [requireAllocId, requireTaskName]) {
      assert.throws(
        () => check(name),
        (error) => error instanceof DunnageError && error.code === 'INVALID_ARGUMENT',
      );
    }
  }
  assert.throws(() => requireTaskName('ö'.repeat(128)), { code: 'NAME_TOO_LONG' });
  assert.throws(() => requireTaskName('alloc'), /the directory the tasks share/);
});
