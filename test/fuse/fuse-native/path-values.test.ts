import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '../../../src/base/ids.ts';
import { pathAttributes, pathStatus } from '../../../src/fuse/fuse-native/path-values.ts';

test('times are cut to milliseconds, inode numbers to 32 bits', () => {
  const attributes = pathAttributes({
    nodeId: (2 ** 32 + 5) as NodeId,
    mode: 0o100644,
    nlink: 1,
    uid: 1,
    gid: 2,
    sizeBytes: 2 ** 40,
    blocks: 8,
    mtime: { seconds: 1_700_000_000, nanoseconds: 123_999_999 },
  });
  assert.deepEqual(
    [attributes.ino, attributes.size, attributes.mtime, attributes.atime, attributes.ctime],
    [5, 2 ** 40, 1_700_000_000_123, 1_700_000_000_123, 1_700_000_000_123],
  );
});

test('a size that does not fit into 32 bits is told in larger blocks', () => {
  const status = { blockSizeBytes: 4096, blocksFree: 0, blocksAvailable: 0, filesFree: 1, nameBytesMax: 255 };
  assert.deepEqual(
    [pathStatus({ ...status, blocks: 100, files: 5 }).blocks, pathStatus({ ...status, blocks: 100, files: 5 }).bsize],
    [100, 4096],
  );
  const large = pathStatus({ ...status, blocks: 2 ** 34, files: 2 ** 33 });
  assert.ok(large.blocks < 2 ** 32);
  assert.equal(large.blocks * large.bsize, 2 ** 34 * 4096);
  assert.equal(large.files, 2 ** 32 - 1);
});
