import assert from 'node:assert/strict';
import { fstatSync, ftruncateSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();

test('two mappings of one memfd and its descriptor show the same bytes', () => {
  const memory = native.createMemfd('dunnage-test', 8192);
  const first = new Uint8Array(native.mapShared(memory, 8192));
  const second = new Uint8Array(native.mapShared(memory, 8192));
  first.set([1, 2, 3], 4096);
  assert.deepEqual([...second.subarray(4096, 4100)], [1, 2, 3, 0]);
  const read = Buffer.alloc(3);
  readSync(memory, read, 0, 3, 4096);
  assert.deepEqual([...read], [1, 2, 3]);
  native.closeDescriptor(memory);
  second[0] = 9;
  assert.equal(first[0], 9, 'the mapping outlives the descriptor');
});

test('a memfd cannot shrink beneath its mappings but may grow', () => {
  const memory = native.createMemfd('dunnage-test', 4096);
  assert.throws(() => ftruncateSync(memory, 0), { code: 'EPERM' });
  ftruncateSync(memory, 8192);
  assert.equal(fstatSync(memory).size, 8192);
  native.closeDescriptor(memory);
});

test('what would fault when touched is not mapped', () => {
  const memory = native.createMemfd('dunnage-test', 4096);
  assert.throws(() => native.mapShared(memory, 4097), { code: 'EINVAL' });
  assert.throws(() => native.mapShared(memory, 0), { code: 'EINVAL' });
  native.closeDescriptor(memory);
  assert.throws(() => native.mapShared(memory, 4096), { code: 'EBADF' });
});
