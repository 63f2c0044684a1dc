import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holderSocketPath, lockPath, sealingKeyPath } from '../../src/daemon/runtime-files.ts';

test('every file of a daemon lies directly in its directory, under a name of its own', () => {
  const paths = [holderSocketPath, sealingKeyPath, lockPath].map((path) => path('/run/dunnage'));
  assert.deepEqual(paths, ['/run/dunnage/holder.sock', '/run/dunnage/secret.key', '/run/dunnage/lock']);
});
