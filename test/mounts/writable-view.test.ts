import assert from 'node:assert/strict';
import { release } from 'node:os';
import { test } from 'node:test';
import { canMakeViewsWritable } from '../../src/mounts/writable-view.ts';

test('a writable view needs Linux 5.12', () => {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  assert.equal(canMakeViewsWritable(), major > 5 || (major === 5 && minor >= 12));
});
