/** The first block of a thin pool's metadata: whether there is a pool, and which. */
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';

const BLOCK_BYTES = 4096;
const MAGIC = 27_022_010n;
const AT = { magic: 32, version: 40, blockSectors: 336 } as const;

export type MetadataContent =
  | { readonly kind: 'empty' }
  | { readonly kind: 'pool'; readonly version: number; readonly blockBytes: number }
  | { readonly kind: 'other' };

/** What the metadata device holds, by its first 4 KiB. Throws what open and read say. */
export function readMetadataContent(path: string): MetadataContent {
  const block = withDevice(path, constants.O_RDONLY, (device) => {
    const bytes = Buffer.alloc(BLOCK_BYTES);
    const length = readSync(device, bytes, 0, BLOCK_BYTES, 0);
    if (length !== BLOCK_BYTES)
      throw new DunnageError('INVALID_ARGUMENT', `${path} is too small for the metadata of a pool`);
    return bytes;
  });
  if (block.readBigUInt64LE(AT.magic) === MAGIC) {
    return {
      kind: 'pool',
      version: block.readUInt32LE(AT.version),
      blockBytes: block.readUInt32LE(AT.blockSectors) * 512,
    };
  }
  return { kind: block.every((byte) => byte === 0) ? 'empty' : 'other' };
}

/** Throws BUSY if somebody has the block device mounted, or uses it for another device. */
export function assertUnused(path: string): void {
  withDevice(path, constants.O_RDONLY | constants.O_EXCL, () => undefined);
}

/** The kernel makes a new pool where it finds zeros: all devices of a pool that was there are lost. Throws BUSY. */
export function zeroMetadata(path: string): void {
  withDevice(path, constants.O_RDWR | constants.O_EXCL, (device) => {
    writeSync(device, Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, 0);
    fsyncSync(device);
  });
}

function withDevice<T>(path: string, flags: number, action: (device: number) => T): T {
  try {
    const device = openSync(path, flags);
    try {
      return action(device);
    } finally {
      closeSync(device);
    }
  } catch (error) {
    throw fromSystemError(error, `cannot use ${path} for a pool`);
  }
}
