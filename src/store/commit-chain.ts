/**
 * What the threads of a process that have the metadata open know together of its commits, in shared memory: which is durable,
 * after which a record may follow, and which records were begun ahead of their commits (commit-log.ts).
 *
 * A commit is needed or expendable. What is needed must be there before a later commit is made again from its record; an expendable one
 * may be lost in a power failure without harm to what comes after it. `known` is the newest commit of which each after `needed`
 * is expendable. Commits that nobody told of here are needed, and known to nobody: the chain ends with them.
 *
 * All that is known of the newest is one word, so that whoever reads it has it of the same moment. A word that a slower thread writes over a newer one is
 * of a commit that is the newest no more: nothing follows it.
 */
import { randomBytes } from 'node:crypto';
import { AHEAD_SLOTS, EPOCH_BYTES, type NeededCommit } from './commit-log.ts';

const DURABLE = 0;
const EPOCH = 1;
const KNOWN = 3;
/** Base of a commit that was announced and is not made yet, plus one; 0: there is none. */
const DECIDED = 4;
/** One each for the slots of records that are begun ahead: the base, plus one; 0: not begun. */
const AHEAD_BASES = 5;
/** And a byte each: see `RecordDisk`. */
const AHEAD_DONE = AHEAD_BASES + AHEAD_SLOTS;
const WORDS = AHEAD_DONE + AHEAD_SLOTS / BigInt64Array.BYTES_PER_ELEMENT;

/** Bits for how many commits `known` is ahead of `needed`, above one for the kind of record. */
const DISTANCE_BITS = 20n;
const DISTANCE_MAX = (1n << DISTANCE_BITS) - 1n;

/** Nothing durable yet, and a new random epoch. */
export function newCommitChain(): BigInt64Array {
  const words = new BigInt64Array(new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT));
  const epoch = randomBytes(EPOCH_BYTES);
  words[EPOCH] = epoch.readBigInt64LE(0);
  words[EPOCH + 1] = epoch.readBigInt64LE(8);
  return words;
}

export class CommitChain {
  readonly #words: BigInt64Array;

  constructor(words: BigInt64Array) {
    this.#words = words;
  }

  /** Of the records of this process. */
  get epoch(): Buffer {
    const epoch = Buffer.alloc(EPOCH_BYTES);
    epoch.writeBigInt64LE(this.#words[EPOCH] ?? 0n, 0);
    epoch.writeBigInt64LE(this.#words[EPOCH + 1] ?? 0n, 8);
    return epoch;
  }

  /** The newest commit that is on disk with all before it; 0: none yet. */
  get durable(): bigint {
    return Atomics.load(this.#words, DURABLE);
  }

  noteDurable(commit: bigint): void {
    if (this.durable < commit) Atomics.store(this.#words, DURABLE, commit);
  }

  /** The last needed commit up to `newest`; undefined if nobody knows, or `newest` is not the newest any more. */
  neededUpTo(newest: bigint): NeededCommit | undefined {
    const word = Atomics.load(this.#words, KNOWN);
    const known = word >> (DISTANCE_BITS + 1n);
    if (known === newest) return { commit: known - ((word >> 1n) & DISTANCE_MAX), isAhead: (word & 1n) === 1n };
    return this.durable === newest ? { commit: newest, isAhead: false } : undefined;
  }

  /** The commit was made; all after `needed` up to it are expendable. */
  noteKnown(newest: bigint, { commit, isAhead }: NeededCommit): void {
    const distance = newest - commit;
    if (distance > DISTANCE_MAX) return;
    Atomics.store(this.#words, KNOWN, (((newest << DISTANCE_BITS) | distance) << 1n) | (isAhead ? 1n : 0n));
  }

  /** Base of the commit that was announced and is not known to be made. */
  get decided(): bigint | undefined {
    const word = Atomics.load(this.#words, DECIDED);
    return word === 0n ? undefined : word - 1n;
  }

  /** Preconditions: the writer's lock is held. */
  set decided(base: bigint | undefined) {
    Atomics.store(this.#words, DECIDED, base === undefined ? 0n : base + 1n);
  }

  /** For which commit the record in that slot was begun; undefined: it was not. */
  aheadBase(slot: number): bigint | undefined {
    const word = Atomics.load(this.#words, AHEAD_BASES + slot);
    return word === 0n ? undefined : word - 1n;
  }

  /** By the thread that writes it. `undefined`: the slot is to be used anew. */
  setAheadBase(slot: number, base: bigint | undefined): void {
    if (base === undefined) Atomics.store(this.aheadDone(slot), 0, 0);
    Atomics.store(this.#words, AHEAD_BASES + slot, base === undefined ? 0n : base + 1n);
  }

  /** One byte. */
  aheadDone(slot: number): Uint8Array {
    return new Uint8Array(this.#words.buffer, AHEAD_DONE * BigInt64Array.BYTES_PER_ELEMENT + slot, 1);
  }
}
