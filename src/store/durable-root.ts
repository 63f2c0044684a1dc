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
 * u64 | boot id (36) | meta page length u16 | meta page ... epoch (16). Records of the same epoch in the commit log continue it
 * (commit-log.ts): they are handed to whoever opens the metadata, to be carried out again.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fdatasyncSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../base/log.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { commitLogFile, EPOCH_BYTES, NO_EPOCH, prepareCommitLog, readChain, readDecided } from './commit-log.ts';
import { corrupt, type Meta, readNewestMeta, restoreMeta } from './data-file.ts';

export const SLOT_BYTES = 4096;
/** One holds the newest root, one may be under way without blocking, one is for a blocking write beside it. */
export const SLOTS_PER_THREAD = 3;
const WORKERS_MAX = 15;
/** In place of the number of a thread: the process that serves beside the daemon's (transport fuse-native). */
export const SERVING_PROCESS = -1;
const SLOTS = SLOTS_PER_THREAD * (1 + WORKERS_MAX + 1);

const MAGIC = Buffer.from('dunroot1');
const OFFSET = {
  hash: 8,
  transaction: 40,
  bootId: 48,
  metaLength: 84,
  meta: 86,
  epoch: SLOT_BYTES - EPOCH_BYTES,
} as const;
const BOOT_ID_BYTES = 36;

export interface DurableRoot {
  readonly transaction: bigint;
  readonly bootId: string;
  readonly meta: Buffer;
  /** `NO_EPOCH`: nothing in the commit log continues it. */
  readonly epoch: Buffer;
}

export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function durableRootFile(dataFile: string): string {
  return join(dirname(dataFile), 'durable-root');
}

/**
 * First slot of a thread; the main thread (0) and the serving process share with nobody. Workers whose numbers are `WORKERS_MAX` apart, or two
 * stores of one thread, must not write the same state directory at once.
 */
export function firstSlot(threadId: number): number {
  if (threadId === SERVING_PROCESS) return SLOTS_PER_THREAD * (1 + WORKERS_MAX);
  const group = threadId === 0 ? 0 : 1 + (threadId % WORKERS_MAX);
  return group * SLOTS_PER_THREAD;
}

export function encodeSlot(root: DurableRoot): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeBigUInt64LE(root.transaction, OFFSET.transaction);
  slot.write(root.bootId, OFFSET.bootId, BOOT_ID_BYTES, 'latin1');
  slot.writeUInt16LE(root.meta.length, OFFSET.metaLength);
  root.meta.copy(slot, OFFSET.meta);
  root.epoch.copy(slot, OFFSET.epoch);
  hash(slot).copy(slot, OFFSET.hash);
  return slot;
}

/** All slots that hold a whole root, by number. */
function readSlots(path: string): ReadonlyMap<number, DurableRoot> {
  const bytes = readFileSync(path);
  const roots = new Map<number, DurableRoot>();
  for (let slot = 0; (slot + 1) * SLOT_BYTES <= bytes.length; slot += 1) {
    const root = decodeSlot(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES));
    if (root !== undefined) roots.set(slot, root);
  }
  return roots;
}

function readRoots(path: string): readonly DurableRoot[] {
  return [...readSlots(path).values()];
}

/** Of two of one commit that of the running kernel: a daemon that has committed nothing since its start has written it. */
function newestRoot(roots: readonly DurableRoot[], bootId: string): DurableRoot | undefined {
  const order = (a: DurableRoot, b: DurableRoot): number => {
    if (a.transaction !== b.transaction) return a.transaction < b.transaction ? 1 : -1;
    return Number(b.bootId === bootId) - Number(a.bootId === bootId);
  };
  return roots.toSorted(order)[0];
}

/** The slot that holds the newest root: whoever writes over it first has nothing to go back to if power fails meanwhile. */
export function newestSlot(rootFile: string, bootId: string): number | undefined {
  const slots = readSlots(rootFile);
  const newest = newestRoot([...slots.values()], bootId);
  return [...slots].find(([, root]) => root === newest)?.[0];
}

export interface RecoverOptions {
  readonly dataFile: string;
  readonly bootId: string;
  readonly log: Log;
}

/**
 * Before the environment is opened for writing: creates the files, or goes back to the last durable commit if the host was
 * restarted after commits that may not have reached the disk. Returns the records of commits that are to be made again
 * then, before any other. Throws CORRUPT.
 */
export function recover(options: RecoverOptions): readonly Uint8Array[] {
  const rootFile = durableRootFile(options.dataFile);
  try {
    const records = existsSync(rootFile) ? recoverFrom(rootFile, options) : [];
    if (records.length === 0) prepareCommitLog(commitLogFile(options.dataFile));
    if (!existsSync(rootFile)) createRootFile(rootFile, options);
    return records;
  } catch (error) {
    throw fromSystemError(error, `cannot recover ${options.dataFile}`);
  }
}

/**
 * For a reader that cannot recover: refuses metadata whose newest commit may be torn. Throws CORRUPT. A daemon that
 * starts mends it.
 */
export function assertRecovered({ dataFile, bootId }: Omit<RecoverOptions, 'log'>): void {
  const rootFile = durableRootFile(dataFile);
  if (!existsSync(rootFile)) return;
  const newest = newestRoot(readRoots(rootFile), bootId);
  if (newest === undefined || newest.bootId === bootId) return;
  const isPresent = presentMeta(dataFile)?.transaction === newest.transaction;
  if (isPresent && readChain(commitLogFile(dataFile), newest).length === 0) return;
  throw new DunnageError('CORRUPT', `the metadata in ${dirname(dataFile)} was in use when the host went down`, {
    remedy: 'Start the daemon once: it goes back to the last durable state.',
  });
}

/** An environment that is older than this file is taken as it is. */
function createRootFile(path: string, { dataFile, bootId }: RecoverOptions): void {
  const present = presentMeta(dataFile);
  const slots = Buffer.alloc(SLOTS * SLOT_BYTES);
  if (present !== undefined) {
    const { transaction, bytes: meta } = present;
    encodeSlot({ transaction, bootId, meta, epoch: NO_EPOCH }).copy(slots);
  }
  const fd = openSync(path, 'w', 0o600);
  try {
    writeSync(fd, slots);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  flushDirectorySync(dirname(path));
}

function recoverFrom(rootFile: string, { dataFile, bootId, log }: RecoverOptions): readonly Buffer[] {
  const newest = newestRoot(readRoots(rootFile), bootId);
  if (newest === undefined) {
    if (!existsSync(dataFile)) return [];
    if (readFileSync(rootFile).some((byte) => byte !== 0)) throw corrupt(rootFile, 'no root in it is whole');
    // The very first commit never became durable, so nobody was promised anything.
    log.warn({}, 'the first start was interrupted; the metadata is created anew');
    for (const path of [dataFile, join(dirname(dataFile), 'lock.mdb')]) rmSync(path, { force: true });
    return [];
  }
  if (newest.bootId === bootId) return decidedAfter(dataFile, newest);
  const records = readChain(commitLogFile(dataFile), newest);
  const present = presentMeta(dataFile);
  if (present?.transaction === newest.transaction) return records;
  const dataFd = openSync(dataFile, 'r+');
  try {
    restoreMeta(dataFd, newest.meta);
    fdatasyncSync(dataFd);
  } finally {
    closeSync(dataFd);
  }
  const missing = present === undefined ? 'unknown' : Number(present.transaction - newest.transaction);
  const lost = missing === 'unknown' ? missing : Math.max(0, missing - records.length);
  log.warn(
    { lost },
    'the host was restarted before the last changes were flushed; went back to the last durable state',
  );
  return records;
}

/** What an earlier process has announced, and did not live to commit. */
function decidedAfter(dataFile: string, { epoch }: DurableRoot): readonly Buffer[] {
  const present = presentMeta(dataFile);
  const decided = present && readDecided(commitLogFile(dataFile), { transaction: present.transaction, epoch });
  return decided === undefined ? [] : [decided];
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
    bootId: slot.toString('latin1', OFFSET.bootId, OFFSET.bootId + BOOT_ID_BYTES),
    meta: Buffer.from(slot.subarray(OFFSET.meta, OFFSET.meta + slot.readUInt16LE(OFFSET.metaLength))),
    epoch: Buffer.from(slot.subarray(OFFSET.epoch, OFFSET.epoch + EPOCH_BYTES)),
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
