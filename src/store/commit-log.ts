/**
 * Makes single commits durable with one small write: a record from which the commit can be made again.
 *
 * The durable root (durable-root.ts) says which commit is on disk. A record says "the commit after number `base` was this, and of those
 * before it the last that is needed has number `needed`" (commit-chain.ts). After a power failure the metadata goes back to the root, and the
 * records behind it are carried out again, one commit each: so a commit is durable as soon as its record is on disk and
 * the needed commit before it is durable. What nobody knows of (any other commit, of any thread) ends the chain, and the next
 * flush of everything begins a new one.
 *
 * A record may be written ahead of its commit, on the guess that it will be the next. If the guess was wrong it is there beside others of the same
 * base, or beside another one of the same commit; it makes its change all the same, unless it was made void. So what is redone must be the same if it is done twice, and
 * a record names the one it needs by number and kind.
 *
 * A commit that was announced before it was made is marked as decided in its record. If the process dies before it has made it, whoever opens the metadata
 * next does.
 *
 * Records and roots carry the epoch of the daemon that wrote them: a number that two daemons have both given to a
 * commit is never mistaken. A record is not erased; a newer root makes it void.
 *
 * Two rings of slots, one for each kind: of records that are begun in their transactions (the place is by the number of the commit), and of those begun ahead (commit-records.ts and
 * ahead-records.ts; one thread writes each). A slot: magic (8) | decided u64 | SHA-256 of the rest (32) | epoch (16) |
 * base u64 | needed u64 | length u32 | kind of the needed u32 | record. All little endian. Slots are written in whole pages, once at first, so that a write
 * only replaces bytes.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const LOG_SLOTS = 160;
export const LOG_SLOT_BYTES: number = 32 * 1024;
export const AHEAD_SLOTS = 192;
export const AHEAD_SLOT_BYTES: number = 16 * 1024;
const AHEAD_START: number = LOG_SLOTS * LOG_SLOT_BYTES;
export const LOG_BYTES: number = AHEAD_START + AHEAD_SLOTS * AHEAD_SLOT_BYTES;
const PAGE_BYTES = 4096;

const MAGIC = Buffer.from('dunredo3');
const OFFSET = {
  decided: 8,
  hash: 16,
  epoch: 48,
  base: 64,
  needed: 72,
  length: 80,
  neededKind: 84,
  record: 88,
} as const;
export const EPOCH_BYTES = 16;
/** Of roots that no record continues. */
export const NO_EPOCH: Buffer = Buffer.alloc(EPOCH_BYTES);

/** The last commit that another one needs: its number, and whether the record to make it again from was begun ahead. */
export interface NeededCommit {
  readonly commit: bigint;
  readonly isAhead: boolean;
}

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
  if (statSync(path, { throwIfNoEntry: false })?.size === LOG_BYTES) return;
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, Buffer.alloc(LOG_BYTES));
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

export function aheadOffsetBytes(slot: number): number {
  return AHEAD_START + slot * AHEAD_SLOT_BYTES;
}

export interface LogRecord {
  /** Number of the commit before it. */
  readonly base: bigint;
  /** The last commit before it that must be there. */
  readonly needed: NeededCommit;
  readonly epoch: Buffer;
  readonly bytes: Uint8Array;
}

interface FoundRecord extends LogRecord {
  readonly isAhead: boolean;
  readonly isDecided: boolean;
}

/** The bytes of a slot, in whole pages; undefined if the record does not fit. */
export function encodeLogSlot(
  { base, needed, epoch, bytes }: LogRecord,
  slotBytes: number = LOG_SLOT_BYTES,
): Buffer | undefined {
  const usedBytes = OFFSET.record + bytes.length;
  if (usedBytes > slotBytes) return undefined;
  const slot = Buffer.alloc(Math.ceil(usedBytes / PAGE_BYTES) * PAGE_BYTES);
  MAGIC.copy(slot);
  epoch.copy(slot, OFFSET.epoch);
  slot.writeBigUInt64LE(base, OFFSET.base);
  slot.writeBigUInt64LE(needed.commit, OFFSET.needed);
  slot.writeUInt32LE(bytes.length, OFFSET.length);
  slot.writeUInt32LE(needed.isAhead ? 1 : 0, OFFSET.neededKind);
  slot.set(bytes, OFFSET.record);
  hash(slot.subarray(OFFSET.epoch, usedBytes)).copy(slot, OFFSET.hash);
  return slot;
}

/** What is written over the head of a slot makes its record void. */
export const VOID_HEAD: Buffer = Buffer.alloc(PAGE_BYTES);

/** What is written to that offset of the file marks the record in a slot as decided. */
export const DECIDED_MARK: Buffer = Buffer.of(1);

export function decidedOffsetBytes(slot: number): number {
  return aheadOffsetBytes(slot) + OFFSET.decided;
}

/** The records that continue a root, in the order of their commits. */
export function readChain(path: string, { transaction, epoch }: ChainStart): readonly Buffer[] {
  const chain: Buffer[] = [];
  const made = new Set<string>();
  for (const { base, needed, bytes, isAhead } of readRecords(path, epoch)) {
    if (base < transaction) continue;
    const isThere = needed.commit <= transaction || made.has(nameOf(needed));
    if (!isThere) continue;
    chain.push(Buffer.from(bytes));
    made.add(nameOf({ commit: base + 1n, isAhead }));
  }
  return chain;
}

const nameOf = ({ commit, isAhead }: NeededCommit): string => `${commit} ${isAhead}`;

/** The record of the commit that was decided and not made, if the newest commit has that number. */
export function readDecided(path: string, { transaction, epoch }: ChainStart): Buffer | undefined {
  const found = readRecords(path, epoch).find(({ base, isDecided }) => isDecided && base === transaction);
  return found && Buffer.from(found.bytes);
}

/** Those of the epoch that are whole, by the numbers of their commits; those begun ahead first. */
function readRecords(path: string, epoch: Buffer): readonly FoundRecord[] {
  if (epoch.equals(NO_EPOCH) || statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  const file = readFileSync(path);
  const records: FoundRecord[] = [];
  const take = (start: number, slotBytes: number, isAhead: boolean): void => {
    const slot = file.subarray(start, start + slotBytes);
    const record = decodeLogSlot(slot);
    if (record?.epoch.equals(epoch) !== true) return;
    if (!isAhead && logOffsetBytes(record.base) !== start) return;
    records.push({ ...record, isAhead, isDecided: isAhead && slot.readBigUInt64LE(OFFSET.decided) !== 0n });
  };
  for (let slot = 0; slot < AHEAD_SLOTS; slot += 1) take(aheadOffsetBytes(slot), AHEAD_SLOT_BYTES, true);
  for (let slot = 0; slot < LOG_SLOTS; slot += 1) take(slot * LOG_SLOT_BYTES, LOG_SLOT_BYTES, false);
  return records.sort((one, other) => (one.base === other.base ? 0 : one.base < other.base ? -1 : 1));
}

function decodeLogSlot(slot: Buffer): LogRecord | undefined {
  if (slot.length < OFFSET.record || !slot.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const end = OFFSET.record + slot.readUInt32LE(OFFSET.length);
  if (end > slot.length) return undefined;
  if (!hash(slot.subarray(OFFSET.epoch, end)).equals(slot.subarray(OFFSET.hash, OFFSET.epoch))) return undefined;
  return {
    base: slot.readBigUInt64LE(OFFSET.base),
    needed: { commit: slot.readBigUInt64LE(OFFSET.needed), isAhead: slot.readUInt32LE(OFFSET.neededKind) === 1 },
    epoch: slot.subarray(OFFSET.epoch, OFFSET.base),
    bytes: slot.subarray(OFFSET.record, end),
  };
}

function hash(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
