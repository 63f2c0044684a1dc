/**
 * Remembers which commit is on disk.
 *
 * A buffered commit leaves its pages and LMDB's two meta pages to the page cache, which writes them back in any order.
 * After a power failure the newest meta page may therefore name pages that never arrived, and LMDB would not notice.
 * So the root of the last flushed commit is kept in a file of its own, `metadata/durable-root`, written after each
 * flush, and the flusher keeps a read transaction open at that commit, so that LMDB overwrites none of its pages. If the
 * host was restarted since, `recover` makes that commit the newest again: what came after it is lost, as buffered
 * commits may be, and nothing is torn.
 *
 * The file has a few slots for each thread. A slot is a page: magic (8) | SHA-256 of the rest (32) | number of the commit
 * u64 | newest commit that was durable when this was written u64 | boot id (36) | meta page length u16 | meta page.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../base/log.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import { corrupt, type Meta, readNewestMeta, restoreMeta } from './data-file.ts';

export const SLOT_BYTES = 4096;
/** One holds the newest root, one may be under way without blocking, one is for a blocking write beside it. */
export const SLOTS_PER_THREAD = 3;
const THREADS_MAX = 8;
const SLOTS = SLOTS_PER_THREAD * THREADS_MAX;

const MAGIC = Buffer.from('dunroot1');
const OFFSET = { hash: 8, transaction: 40, durable: 48, bootId: 56, metaLength: 92, meta: 94 } as const;
const BOOT_ID_BYTES = 36;

export interface DurableRoot {
  readonly transaction: bigint;
  /** The newest commit known to be durable, this root included, when the root was written. */
  readonly durableTransaction: bigint;
  readonly bootId: string;
  readonly meta: Buffer;
}

export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function durableRootFile(dataFile: string): string {
  return join(dirname(dataFile), 'durable-root');
}

/** First slot of a thread. Threads whose numbers are `THREADS_MAX` apart must not have the store open at once. */
export function firstSlot(threadId: number): number {
  return (threadId % THREADS_MAX) * SLOTS_PER_THREAD;
}

export function encodeSlot(root: DurableRoot): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeBigUInt64LE(root.transaction, OFFSET.transaction);
  slot.writeBigUInt64LE(root.durableTransaction, OFFSET.durable);
  slot.write(root.bootId, OFFSET.bootId, BOOT_ID_BYTES, 'latin1');
  slot.writeUInt16LE(root.meta.length, OFFSET.metaLength);
  root.meta.copy(slot, OFFSET.meta);
  hash(slot).copy(slot, OFFSET.hash);
  return slot;
}

/** All slots that hold a whole root. */
export function readRoots(fd: number): readonly DurableRoot[] {
  const bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
  const sizeBytes = readSync(fd, bytes, 0, bytes.length, 0);
  const roots: DurableRoot[] = [];
  for (let start = 0; start + SLOT_BYTES <= sizeBytes; start += SLOT_BYTES) {
    const root = decodeSlot(bytes.subarray(start, start + SLOT_BYTES));
    if (root !== undefined) roots.push(root);
  }
  return roots;
}

export interface RecoverOptions {
  readonly dataFile: string;
  readonly bootId: string;
  readonly log: Log;
}

/**
 * Before the environment is opened for writing: creates the file, or goes back to the last durable commit if the host was
 * restarted after commits that may not have reached the disk. Throws CORRUPT.
 */
export function recover(options: RecoverOptions): void {
  const rootFile = durableRootFile(options.dataFile);
  try {
    if (!existsSync(rootFile)) createRootFile(rootFile);
    else recoverFrom(rootFile, options);
  } catch (error) {
    throw fromSystemError(error, `cannot recover ${options.dataFile}`);
  }
}

function createRootFile(path: string): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    writeSync(fd, Buffer.alloc(SLOTS * SLOT_BYTES));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  flushDirectorySync(dirname(path));
}

function recoverFrom(rootFile: string, { dataFile, bootId, log }: RecoverOptions): void {
  const fd = openSync(rootFile, 'r');
  let roots: readonly DurableRoot[];
  try {
    roots = readRoots(fd);
  } finally {
    closeSync(fd);
  }
  const newest = roots.reduce<DurableRoot | undefined>(
    (best, root) => (best === undefined || root.transaction > best.transaction ? root : best),
    undefined,
  );
  if (newest === undefined) {
    if (!existsSync(dataFile)) return;
    if (readFileSync(rootFile).some((byte) => byte !== 0)) throw corrupt(rootFile, 'no root in it is whole');
    // The very first commit never became durable, so nobody was promised anything.
    log.warn({}, 'the first start was interrupted; the metadata is created anew');
    for (const path of [dataFile, join(dirname(dataFile), 'lock.mdb')]) rmSync(path, { force: true });
    return;
  }
  if (newest.bootId === bootId) return;
  const present = presentMeta(dataFile);
  if (present?.transaction === newest.transaction) return;
  const dataFd = openSync(dataFile, 'r+');
  try {
    restoreMeta(dataFd, newest.meta);
    fdatasyncSync(dataFd);
  } finally {
    closeSync(dataFd);
  }
  const lost = present === undefined ? 'unknown' : Number(present.transaction - newest.transaction);
  log.warn(
    { lost },
    'the host was restarted before the last changes were flushed; went back to the last durable state',
  );
}

function presentMeta(dataFile: string): Meta | undefined {
  try {
    return readNewestMeta(dataFile);
  } catch {
    // Torn meta pages are what this is for.
    return undefined;
  }
}

function decodeSlot(slot: Buffer): DurableRoot | undefined {
  if (!slot.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!hash(slot).equals(slot.subarray(OFFSET.hash, OFFSET.transaction))) return undefined;
  return {
    transaction: slot.readBigUInt64LE(OFFSET.transaction),
    durableTransaction: slot.readBigUInt64LE(OFFSET.durable),
    bootId: slot.toString('latin1', OFFSET.bootId, OFFSET.bootId + BOOT_ID_BYTES),
    meta: Buffer.from(slot.subarray(OFFSET.meta, OFFSET.meta + slot.readUInt16LE(OFFSET.metaLength))),
  };
}

function hash(slot: Buffer): Buffer {
  return createHash('sha256').update(slot.subarray(OFFSET.transaction)).digest();
}

function flushDirectorySync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
