/**
 * Looks at LMDB's data file from outside, before LMDB maps it: LMDB trusts what it maps, and a damaged header could
 * take the whole process down.
 *
 * A data file begins with two meta pages; commits write them in turn, and the one with the larger transaction number counts.
 * Layout of a page: header (page number u64, transaction u64, u16, flags u16, u32), then magic u32, version u32,
 * address u64, map size u64, two tree descriptors of 48 bytes (the first word of the first one is the page size, the
 * last word of each its root page), last page u64, transaction u64, boot id u64. All little endian.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

const MAGIC = 0xbeefc0de;
const OFFSET = {
  flags: 18,
  magic: 24,
  version: 28,
  pageSize: 48,
  freeRoot: 88,
  mainRoot: 136,
  lastPage: 144,
  transaction: 152,
} as const;
const META_BYTES = 168;
const META_FLAG = 0x08;
const NO_PAGE = 0xffffffffffffffffn;

/** One meta page: the root of one commit. */
export interface Meta {
  readonly pageSizeBytes: number;
  /** Number of the commit. */
  readonly transaction: bigint;
  readonly formatVersion: number;
  readonly roots: readonly bigint[];
  /** The last page in use; the file may go on behind it. */
  readonly lastPage: bigint;
  /** Beginning of the page as it is in the file. */
  readonly bytes: Buffer;
}

/** The newest commit in the file; undefined if the file does not exist or is empty. Throws CORRUPT. */
export function readNewestMeta(path: string): Meta | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fromSystemError(error, `cannot open ${path}`);
  }
  try {
    const fileSizeBytes = fstatSync(fd).size;
    if (fileSizeBytes === 0) return undefined;
    const newest = newestMeta(fd, path);
    for (const root of newest.roots) {
      const isBeyondEnd = (root + 1n) * BigInt(newest.pageSizeBytes) > BigInt(fileSizeBytes);
      if (root !== NO_PAGE && isBeyondEnd) throw corrupt(path, 'it was cut off');
    }
    return newest;
  } finally {
    closeSync(fd);
  }
}

/** The same for an open file that no commit changes meanwhile. */
export function newestMeta(fd: number, path: string): Meta {
  const first = readMeta(fd, path, 0);
  const second = readMeta(fd, path, first.pageSizeBytes);
  return second.transaction > first.transaction ? second : first;
}

/** Makes the commit that `bytes` (of a `Meta`) describes the newest one. Preconditions: nobody has the file open. */
export function restoreMeta(fd: number, bytes: Buffer): void {
  const pageSizeBytes = bytes.readUInt32LE(OFFSET.pageSize);
  for (const page of [0, 1]) {
    const copy = Buffer.from(bytes);
    copy.writeBigUInt64LE(BigInt(page), 0);
    if (writeSync(fd, copy, 0, copy.length, page * pageSizeBytes) !== copy.length) {
      throw new DunnageError('NO_SPACE', 'cannot restore the metadata: the disk is full');
    }
  }
}

function readMeta(fd: number, path: string, offsetBytes: number): Meta {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(fd, page, 0, META_BYTES, offsetBytes) !== META_BYTES) throw corrupt(path, 'it is too short');
  if (page.readUInt32LE(OFFSET.magic) !== MAGIC || (page.readUInt16LE(OFFSET.flags) & META_FLAG) === 0) {
    throw corrupt(path, 'its header is not that of an LMDB environment');
  }
  const pageSizeBytes = page.readUInt32LE(OFFSET.pageSize);
  const isPowerOfTwo = pageSizeBytes > 0 && (pageSizeBytes & (pageSizeBytes - 1)) === 0;
  if (!isPowerOfTwo || pageSizeBytes < 512 || pageSizeBytes > 65536)
    throw corrupt(path, `its page size is ${pageSizeBytes}`);
  return {
    pageSizeBytes,
    transaction: page.readBigUInt64LE(OFFSET.transaction),
    formatVersion: page.readUInt32LE(OFFSET.version) & 0xffff,
    bytes: page,
    lastPage: page.readBigUInt64LE(OFFSET.lastPage),
    roots: [page.readBigUInt64LE(OFFSET.freeRoot), page.readBigUInt64LE(OFFSET.mainRoot)],
  };
}

export function corrupt(path: string, reason: string, cause?: unknown): DunnageError {
  return new DunnageError('CORRUPT', `the metadata in ${path} is damaged: ${reason}`, {
    remedy:
      'Restore the folder from a backup, or move it away: the daemon then starts empty, and everything must be applied again.',
    cause,
  });
}
