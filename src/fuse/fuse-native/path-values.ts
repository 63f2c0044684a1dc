/** Attributes and statuses in fuse-native's shape: 32-bit numbers, times in milliseconds. */

import type { PathAttributes, PathFileSystemStatus } from '../../native/fuse-native.ts';
import type { Attributes, FileSystemStatus } from '../../vfs/file-system.ts';

const WORD = 2 ** 32;
const READ_SIZE_BYTES = 4096;

export function pathAttributes(attributes: Attributes): PathAttributes {
  const { nodeId, mode, nlink, uid, gid, sizeBytes, blocks, mtime } = attributes;
  const timeMs = mtime.seconds * 1000 + Math.floor(mtime.nanoseconds / 1_000_000);
  return {
    mode,
    nlink,
    uid,
    gid,
    size: sizeBytes,
    blocks,
    blksize: READ_SIZE_BYTES,
    ino: nodeId % WORD,
    atime: timeMs,
    mtime: timeMs,
    ctime: timeMs,
  };
}

/** What df shows has to fit into 32 bits: blocks are made larger until they do. */
export function pathStatus(status: FileSystemStatus): PathFileSystemStatus {
  const largest = Math.max(status.blocks, status.blocksFree, status.blocksAvailable);
  let factor = 1;
  while (largest / factor >= WORD) factor *= 2;
  const blocks = (count: number): number => Math.floor(count / factor);
  const count = (value: number): number => Math.min(value, WORD - 1);
  return {
    bsize: status.blockSizeBytes * factor,
    frsize: status.blockSizeBytes * factor,
    blocks: blocks(status.blocks),
    bfree: blocks(status.blocksFree),
    bavail: blocks(status.blocksAvailable),
    files: count(status.files),
    ffree: count(status.filesFree),
    favail: count(status.filesFree),
    namemax: status.nameBytesMax,
  };
}
