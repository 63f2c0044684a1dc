/**
 * What the threads of a process that have the metadata open know together of its commits, in shared memory: which is durable,
 * after which a record may follow, and whose turn a slot of the log is (commit-log.ts).
 *
 * A commit is needed or expendable. What is needed must be there before a later commit is made again from its record; an expendable one
 * may be lost in a power failure without harm to what comes after it. `known` is the newest commit of which each after `needed`
 * is expendable. Commits that nobody told of here are needed, and known to nobody: the chain ends with them.
 *
 * Both numbers are one word, so that whoever reads them has them of the same moment. A word that a slower thread writes over a newer one is of
 * a commit that is the newest no more: nothing follows it.
 *
 * One record may be written ahead of its transaction, by any thread, for the commit after `base`. Its slot is the one that a record of a
 * transaction that is made meanwhile has. Whoever wants the slot first says so and then looks whether the other did: at most one writes.
 */
import { randomBytes } from 'node:crypto';
import { EPOCH_BYTES } from './commit-log.ts';

const DURABLE = 0;
const EPOCH = 1;
const KNOWN = 3;
/** Base of the commit that is being made or was made last, plus one. */
const MAKING = 4;
/** Base of the record that was begun ahead, plus one; 0: there is none. */
const AHEAD = 5;
const AHEAD_SUBJECT = 6;
/** A byte each for so many records that were begun ahead, by their bases: see `Disk.record`. */
const DONE = 7;
const DONE_WORDS = 8;
const WORDS = DONE + DONE_WORDS;
const DONE_BYTES = DONE_WORDS * BigInt64Array.BYTES_PER_ELEMENT;

/** Bits for how many commits `known` is ahead of `needed`. */
const AHEAD_BITS = 20n;
const AHEAD_MAX = (1n << AHEAD_BITS) - 1n;

/** A record that was begun ahead: of what, and for the commit after which. */
export interface Ahead {
  readonly base: bigint;
  readonly subject: bigint;
}

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

  /** The last needed commit up to `newest`; undefined if nobody knows, or `newest` is not the newest commit any more. */
  neededUpTo(newest: bigint): bigint | undefined {
    const word = Atomics.load(this.#words, KNOWN);
    const known = word >> AHEAD_BITS;
    if (known === newest) return known - (word & AHEAD_MAX);
    return this.durable === newest ? newest : undefined;
  }

  /** The commit was made; all after `needed` up to it are expendable. */
  noteKnown(commit: bigint, needed: bigint): void {
    const ahead = commit - needed;
    if (ahead <= AHEAD_MAX) Atomics.store(this.#words, KNOWN, (commit << AHEAD_BITS) | ahead);
  }

  /** The record that was begun ahead, as long as nobody has taken it. */
  get ahead(): Ahead | undefined {
    const word = Atomics.load(this.#words, AHEAD);
    return word === 0n ? undefined : { base: word - 1n, subject: Atomics.load(this.#words, AHEAD_SUBJECT) };
  }

  /** False if there is one already, or a commit after the same base is being made. One thread only. */
  beginAhead({ base, subject }: Ahead): boolean {
    if (Atomics.load(this.#words, AHEAD) !== 0n) return false;
    Atomics.store(this.#words, AHEAD_SUBJECT, subject);
    Atomics.store(this.doneAhead(base), 0, 0);
    Atomics.store(this.#words, AHEAD, base + 1n);
    if (Atomics.load(this.#words, MAKING) !== base + 1n) return true;
    this.endAhead();
    return false;
  }

  endAhead(): void {
    Atomics.store(this.#words, AHEAD, 0n);
  }

  /** The slot of that base is for the thread that calls this: none is begun ahead for it. Preconditions: it has the writer's lock, or took what is ahead. */
  noteMaking(base: bigint): void {
    Atomics.store(this.#words, MAKING, base + 1n);
  }

  /** One byte. */
  doneAhead(base: bigint): Uint8Array {
    const offsetBytes = DONE * BigInt64Array.BYTES_PER_ELEMENT + Number(base % BigInt(DONE_BYTES));
    return new Uint8Array(this.#words.buffer, offsetBytes, 1);
  }
}
