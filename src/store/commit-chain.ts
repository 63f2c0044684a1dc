/**
 * What the threads of a process that have the metadata open know together of its commits, in shared memory: which is durable, and
 * after which a record may follow (commit-log.ts).
 *
 * A commit is needed or expendable. What is needed must be there before a later commit is made again from its record; an expendable one
 * may be lost in a power failure without harm to what comes after it. `known` is the newest commit of which each after `needed`
 * is expendable. Commits that nobody told of here are needed, and known to nobody: the chain ends with them.
 *
 * Both numbers are one word, so that whoever reads them has them of the same moment. A word that a slower thread writes over a newer one is of
 * a commit that is the newest no more: nothing follows it.
 */
import { randomBytes } from 'node:crypto';
import { EPOCH_BYTES } from './commit-log.ts';

const DURABLE = 0;
const EPOCH = 1;
const KNOWN = 3;
const WORDS = 4;

/** Bits for how many commits `known` is ahead of `needed`. */
const AHEAD_BITS = 20n;
const AHEAD_MAX = (1n << AHEAD_BITS) - 1n;

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

  /** The last needed commit up to `newest`; undefined if nobody knows. Preconditions: the writer's lock is held, and `newest` the newest commit. */
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
}
