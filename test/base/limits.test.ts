/** Relations between limits of different rooms: each of them would break something far away from where it is set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/base/limits.ts';

test('every limit is a positive whole number', () => {
  for (const [name, value] of Object.entries(limits)) assert.ok(Number.isSafeInteger(value) && value > 0, name);
});

test('names and paths are bounded as Linux bounds them', () => {
  assert.equal(limits.nameBytesMax, 255);
  assert.equal(limits.pathBytesMax, 4096);
  assert.equal(limits.socketPathBytesMax, 107);
});

test('a name of the longest object fits into a directory name', () => {
  assert.ok(limits.objectNameMax <= limits.nameBytesMax);
});

test('a manifest and a payload fit into the body of a control request', () => {
  assert.ok(limits.manifestBytesMax <= limits.controlBodyBytesMax);
});

test('content inside LMDB is sealed as one chunk, and chunks are whole pages', () => {
  assert.ok(limits.inlineBlobBytesMax <= limits.sealedChunkBytes);
  assert.equal(limits.sealedChunkBytes % 4096, 0);
});

test('the largest FUSE write is what the kernel takes at most: 256 pages', () => {
  assert.equal(limits.fuseWriteBytesMax, 256 * 4096);
  assert.ok(limits.fuseHeaderBytesMax >= 4096, 'the kernel refuses a smaller request buffer than write + a page');
});

test('what waits is given up in the right order', () => {
  assert.ok(limits.controlCloseGraceMs < limits.controlRequestMs, 'closing waits less than a request may take');
  assert.ok(limits.droppedGenerationGraceMs < limits.fuseUnansweredMs);
  assert.ok(limits.takeoverTimeoutSeconds * 1000 > limits.fuseUnansweredMs, 'a restart is quicker than the holder');
});
