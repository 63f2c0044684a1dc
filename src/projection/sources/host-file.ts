/**
 * Reading one regular file of the host whole: not while somebody has it open for writing, and not across a change.
 */

import type { BigIntStats } from 'node:fs';
import {
  close as closeCallback,
  constants as flags,
  fstat as fstatCallback,
  open as openCallback,
  read as readCallback,
} from 'node:fs';
import { promisify } from 'node:util';
import { limits } from '../../base/limits.ts';
import { formatBytes } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { shown } from '../path-rules.ts';

export const close: (descriptor: number) => Promise<void> = promisify(closeCallback);
export const open: (path: string, openFlags: number) => Promise<number> = promisify(openCallback);
const fstat = promisify(fstatCallback) as (
  descriptor: number,
  options: { readonly bigint: true },
) => Promise<BigIntStats>;
const read = promisify(readCallback);

/** Names a file without opening it: a device does nothing, a FIFO does not wait. Linux, all architectures Node runs on. */
export const NAME_ONLY: number = 0o10000000;
const OPEN_READ = flags.O_RDONLY | flags.O_NONBLOCK | flags.O_NOCTTY;
const PERMISSIONS = 0o777n;

/** The file is being changed: it is to be read again a little later. */
export class Unsettled extends Error {}

/** Bytes that may still be read; shared by all files of one source. */
export class ReadBudget {
  #leftBytes: number;

  constructor(sizeBytes: number = limits.sourceBytesMax) {
    this.#leftBytes = sizeBytes;
  }

  /** @throws DunnageError TOO_LARGE */
  take(path: string, sizeBytes: number): void {
    if (sizeBytes > limits.sourceFileBytesMax) {
      throw tooLarge(`${shown(path)} has ${formatBytes(sizeBytes)}`, limits.sourceFileBytesMax);
    }
    this.#leftBytes -= sizeBytes;
    if (this.#leftBytes < 0) throw tooLarge('the sources hold too much', limits.sourceBytesMax);
  }
}

export interface HostFile {
  readonly data: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
}

export interface ReadOptions {
  readonly budget: ReadBudget;
  /** Takes a file that somebody has open for writing as it is, if it does not change while it is read. */
  readonly ignoreWriters: boolean;
}

export function status(descriptor: number): Promise<BigIntStats> {
  return fstat(descriptor, { bigint: true });
}

/**
 * Reads what `named` (opened with NAME_ONLY; a regular file) names. `path` is for messages.
 * @throws Unsettled, DunnageError TOO_LARGE, and what the system says.
 */
export async function readHostFile(named: number, path: string, options: ReadOptions): Promise<HostFile> {
  const descriptor = await open(`/proc/self/fd/${named}`, OPEN_READ);
  try {
    if (!options.ignoreWriters && loadNative().hasWriter(descriptor) === true) {
      throw new Unsettled(`somebody has ${shown(path)} open for writing`);
    }
    const before = await status(descriptor);
    options.budget.take(path, Number(before.size));
    const data = await readAll(descriptor, Number(before.size));
    const after = await status(descriptor);
    if (data === undefined || !isSame(before, after)) throw new Unsettled(`${shown(path)} changes while it is read`);
    return { data, mode: Number(after.mode & PERMISSIONS) };
  } finally {
    await close(descriptor);
  }
}

/** Files of /proc and /sys say 0 or a page and hold something else; they are short. */
const PSEUDO_FILE_BYTES_MAX = 65_536;

/** Undefined if the file holds more than it says. */
async function readAll(descriptor: number, sizeBytes: number): Promise<Uint8Array | undefined> {
  const wantedBytes = sizeBytes === 0 ? PSEUDO_FILE_BYTES_MAX : sizeBytes;
  // One byte more shows that the file has grown.
  const buffer = Buffer.allocUnsafe(wantedBytes + 1);
  let length = 0;
  while (length <= wantedBytes) {
    const { bytesRead } = await read(descriptor, buffer, length, wantedBytes + 1 - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length <= wantedBytes ? buffer.subarray(0, length) : undefined;
}

export function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return (
    one.dev === other.dev &&
    one.ino === other.ino &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs
  );
}

function tooLarge(what: string, bytesMax: number): DunnageError {
  return new DunnageError('TOO_LARGE', `${what}; sources are read into memory, at most ${formatBytes(bytesMax)}`, {
    remedy: 'choose what is needed with items, or write the large file with: dunnage projection write',
  });
}
