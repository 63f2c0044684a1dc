/**
 * Makes single commits durable with one small write: a record from which the commit can be made again.
 *
 * The durable root (durable-root.ts) says which commit is on disk. A record says "the commit after number `base` was this, and of those
 * before it the last that is needed has number `needed`" (commit-chain.ts). After a power failure the metadata goes back to the root, and the
 * records that continue it without a gap are carried out again, one commit each: so a commit is durable as soon as its record is on disk and
 * the needed commit before it is durable. What nobody knows of (any other commit, of any thread) ends the chain, and the next
 * flush of everything begins a new one.
 *
 * Records and roots carry the epoch of the daemon that wrote them: a number that two daemons have both given to a
 * commit is never mistaken. A record is not erased; a newer root makes it void.
 *
 * A ring of slots, the place of a record by the number of its commit: magic (8) | SHA-256 of the rest (32) | epoch (16) |
 * base u64 | needed u64 | length u32 | record. All little endian. Slots are written in whole pages, once at first, so that a write only replaces bytes.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const LOG_SLOTS = 256;
export const LOG_SLOT_BYTES: number = 32 * 1024;
const PAGE_BYTES = 4096;

const MAGIC = Buffer.from('dunredo2');
const OFFSET = { hash: 8, epoch: 40, base: 56, needed: 64, length: 72, record: 76 } as const;
export const EPOCH_BYTES = 16;
/** Of roots that no record continues. */
export const NO_EPOCH: Buffer = Buffer.alloc(EPOCH_BYTES);

/** What a chain of records begins with. */
export interface ChainStart {
  readonly transaction: bigint;
  readonly epoch: Buffer;
}

export function commitLogFile(dataFile: string): string {
  return join(dirname(dataFile), 'commit-log');
}

/** Makes the file if there is none. Preconditions: nobody has it open. */
export function prepareCommitLog(path: string): void {
  const sizeBytes = LOG_SLOTS * LOG_SLOT_BYTES;
  if (statSync(path, { throwIfNoEntry: false })?.size === sizeBytes) return;
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, Buffer.alloc(sizeBytes));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export function logOffsetBytes(base: bigint): number {
  return Number(base % BigInt(LOG_SLOTS)) * LOG_SLOT_BYTES;
}

export interface LogRecord {
  /** Number of the commit before it. */
  readonly base: bigint;
  /** Number of the last commit before it that must be there. */
  readonly needed: bigint;
  readonly epoch: Buffer;
  readonly bytes: Uint8Array;
}

/** The bytes of a slot, in whole pages; undefined if the record does not fit. */
export function encodeLogSlot({ base, needed, epoch, bytes }: LogRecord): Buffer | undefined {
  const usedBytes = OFFSET.record + bytes.length;
  if (usedBytes > LOG_SLOT_BYTES) return undefined;
  const slot = Buffer.alloc(Math.ceil(usedBytes / PAGE_BYTES) * PAGE_BYTES);
  MAGIC.copy(slot);
  epoch.copy(slot, OFFSET.epoch);
  slot.writeBigUInt64LE(base, OFFSET.base);
  slot.writeBigUInt64LE(needed, OFFSET.needed);
  slot.writeUInt32LE(bytes.length, OFFSET.length);
  slot.set(bytes, OFFSET.record);
  hash(slot.subarray(OFFSET.epoch, usedBytes)).copy(slot, OFFSET.hash);
  return slot;
}

/** The record of the commit after `base`, of whatever epoch; undefined if it is not there any more. */
export function readRecord(path: string, base: bigint): Buffer | undefined {
  const slot = Buffer.alloc(LOG_SLOT_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, slot, 0, slot.length, logOffsetBytes(base));
  } finally {
    closeSync(file);
  }
  const record = decodeLogSlot(slot);
  return record?.base === base ? Buffer.from(record.bytes) : undefined;
}

/** The records that continue a root, in their order. */
export function readChain(path: string, { transaction, epoch }: ChainStart): readonly Buffer[] {
  if (epoch.equals(NO_EPOCH) || statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  const chain: Buffer[] = [];
  let there = transaction;
  for (const { base, needed, bytes } of readRecords(path, epoch)) {
    if (base < there) continue;
    if (needed > there) break;
    chain.push(Buffer.from(bytes));
    there = base + 1n;
  }
  return chain;
}

/** Those of the epoch that are whole, by the numbers of their commits. */
function readRecords(path: string, epoch: Buffer): readonly LogRecord[] {
  const file = readFileSync(path);
  const records: LogRecord[] = [];
  for (let start = 0; start < file.length; start += LOG_SLOT_BYTES) {
    const record = decodeLogSlot(file.subarray(start, start + LOG_SLOT_BYTES));
    if (record?.epoch.equals(epoch) === true && logOffsetBytes(record.base) === start) records.push(record);
  }
  return records.sort((one, other) => (one.base < other.base ? -1 : 1));
}

function decodeLogSlot(slot: Buffer): LogRecord | undefined {
  if (slot.length < OFFSET.record || !slot.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const end = OFFSET.record + slot.readUInt32LE(OFFSET.length);
  if (end > slot.length) return undefined;
  if (!hash(slot.subarray(OFFSET.epoch, end)).equals(slot.subarray(OFFSET.hash, OFFSET.epoch))) return undefined;
  return {
    base: slot.readBigUInt64LE(OFFSET.base),
    needed: slot.readBigUInt64LE(OFFSET.needed),
    epoch: slot.subarray(OFFSET.epoch, OFFSET.base),
    bytes: slot.subarray(OFFSET.record, end),
  };
}

function hash(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
