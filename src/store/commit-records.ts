/**
 * Writes the records that make single commits durable (commit-log.ts). One thread of a process makes commits with records, another may write one
 * ahead of its commit; any may make commits that the chain of them goes on over (commit-chain.ts).
 *
 * A record is begun in its transaction, and written while that is made; or ahead of it, on the guess that no other commit comes before:
 *
 *   begun -> written, commit made   -> durable
 *         -> commit not made        -> void: erased before anybody hears of the failure
 *   ahead -> the guess was right    -> as above; if it is on disk when its transaction begins, nothing can undo the commit any more
 *         -> the guess was wrong    -> begun again; what was written ahead makes the same change, in the worst case twice
 *         -> given up               -> void
 */
import { closeSync, constants, openSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CommitChain } from './commit-chain.ts';
import { commitLogFile, encodeLogSlot, LOG_SLOTS, logOffsetBytes, NO_EPOCH } from './commit-log.ts';
import { newestMeta } from './data-file.ts';

/** Records on their way to the disk. */
const UNDER_WAY_MAX = LOG_SLOTS / 4;
/** So many commits after the durable root a flush of everything begins, so that the log never fills up. */
const CHAIN_MAX = LOG_SLOTS / 2;
const VOID_BYTES = 4096;
/** Values of `done`. */
const WRITTEN = 1;
const FAILED = 2;

/** A record that is being written, of a commit that is about to be made. */
export interface RecordUnderWay {
  /** Number of the commit before. */
  readonly base: bigint;
  readonly written: Promise<void>;
  /** Its byte is 1 as soon as the record is on disk: the promise waits for the event loop. */
  readonly done: Uint8Array;
}

/** An expendable commit that is about to be made: the number of the commit before, and of the last one that is needed. */
export interface ExpendableUnderWay {
  readonly base: bigint;
  readonly needed: bigint;
}

/** Where records are written, as a port: a test's disk can fail. */
export interface RecordDisk {
  /** Writes to the log of records; on disk when it resolves, and already when the first byte of `done` is 1. */
  record(logFd: number, bytes: Uint8Array, offsetBytes: number, done: Uint8Array): Promise<void>;
}

export interface CommitRecordsOptions {
  /** Of the data file. */
  readonly path: string;
  readonly dataFd: number;
  readonly disk: RecordDisk;
  readonly chain: CommitChain | undefined;
  /** The disk failed: every later change is refused. Returns the error that says so. */
  readonly onFailure: (cause: unknown) => Error;
  /** The chain is long enough: a flush of everything shall begin a new one. */
  readonly onLong: () => void;
}

export class CommitRecords {
  readonly epoch: Buffer;
  readonly #options: CommitRecordsOptions;
  readonly #chain: CommitChain | undefined;
  readonly #logFd: number;
  /** Every commit that was recorded is durable once it resolves. */
  #settled: Promise<void> = Promise.resolve();
  /** Of this thread's records on their way to the disk. */
  readonly #underWay = new Set<Uint8Array>();
  #isVoiding = false;

  constructor(options: CommitRecordsOptions) {
    this.#options = options;
    this.#chain = options.chain;
    this.#logFd = openSync(commitLogFile(options.path), constants.O_RDWR | constants.O_DSYNC);
    this.epoch = this.#chain?.epoch ?? NO_EPOCH;
  }

  /**
   * Begins to write a record of the commit that is about to be made. Undefined if that would not make it durable: then it
   * needs a flush. Preconditions: in the transaction, which has the writer's lock: nobody commits anything in between; `recorded` or `void` follows.
   */
  begin(record: Uint8Array): RecordUnderWay | undefined {
    if (this.#chain === undefined || this.#isVoiding || this.#underWay.size >= UNDER_WAY_MAX) return undefined;
    const base = this.#newest();
    const bytes = this.#encode(base, record);
    if (bytes === undefined) return undefined;
    this.#chain.noteMaking(base);
    if (this.#chain.ahead?.base === base && !this.#replaceAhead(this.#chain, base)) return undefined;
    return this.#write(base, bytes, new Uint8Array(1));
  }

  /** What was begun ahead is of another commit. False if it is still being written: nobody may write to the same place. */
  #replaceAhead(chain: CommitChain, base: bigint): boolean {
    if (!isWritten(chain.doneAhead(base))) return false;
    chain.endAhead();
    return true;
  }

  /**
   * Begins to write a record of a commit that is still to be made, on the guess that it will be the next. Nothing happens if that would be of no
   * use, or if there is one already. `take` or `giveUp` follows, on the thread that makes the commit, with the same subject: a number of the caller's;
   * then `endAhead` here.
   */
  beginAhead(subject: bigint, record: () => Uint8Array): void {
    if (this.#chain === undefined || this.#chain.ahead !== undefined) return;
    const base = this.#newest();
    if (!this.#isChained(base)) return;
    const bytes = this.#encode(base, record());
    if (bytes === undefined || !this.#chain.beginAhead({ base, subject })) return;
    const done = this.#chain.doneAhead(base);
    const { written } = this.#write(base, bytes, done);
    this.#settled = Promise.all([this.#settled, written]).then(
      () => undefined,
      (error: unknown) => {
        Atomics.store(done, 0, FAILED);
        throw this.#options.onFailure(error);
      },
    );
    this.#settled.catch(() => undefined);
  }

  /** The record that was begun ahead, if it is that of the commit that is about to be made. Preconditions: as for `begin`. */
  take(subject: bigint): RecordUnderWay | undefined {
    const ahead = this.#chain?.ahead;
    if (this.#chain === undefined || ahead?.subject !== subject) return undefined;
    const isNext = this.#newest() === ahead.base;
    if (isNext) this.#chain.noteMaking(ahead.base);
    this.#chain.endAhead();
    if (!isNext || this.#isVoiding) return undefined;
    const done = this.#chain.doneAhead(ahead.base);
    return { base: ahead.base, done, written: written(done) };
  }

  /** The commit was made. On the thread that began: its record may have come too late to be taken. It makes the same change again, which is none. */
  endAhead(subject: bigint): void {
    if (this.#chain?.ahead?.subject === subject) this.#chain.endAhead();
  }

  /** The commit will not be made. Nobody may be told of that before `settled`. */
  giveUp(subject: bigint): void {
    const ahead = this.#chain?.ahead;
    if (this.#chain === undefined || ahead?.subject !== subject) return;
    this.#chain.noteMaking(ahead.base);
    this.#chain.endAhead();
    const done = this.#chain.doneAhead(ahead.base);
    this.void({ base: ahead.base, done, written: written(done) });
  }

  /** Whether the record is on disk with all that it needs: then nothing can undo the commit, also if it fails. */
  isOnDisk({ done }: RecordUnderWay): boolean {
    return !this.#isVoiding && isWritten(done) && [...this.#underWay].every(isWritten);
  }

  /** The commit was made. Resolves when it is durable. */
  recorded({ base, written }: RecordUnderWay): Promise<void> {
    const { onFailure, onLong } = this.#options;
    if (this.#newest() <= base) throw onFailure(new Error('an empty commit'));
    const commit = base + 1n;
    this.#chain?.noteKnown(commit, commit);
    const earlier = this.#settled;
    const durable = written.then(
      () => earlier,
      (error: unknown) => {
        throw onFailure(error);
      },
    );
    this.#settled = durable;
    durable.catch(() => undefined);
    if (this.#chain !== undefined && commit - this.#chain.durable >= CHAIN_MAX) setImmediate(onLong);
    return durable;
  }

  /** The commit was not made: its record must never be taken for that of the commit that will have its number. */
  void({ base, written }: RecordUnderWay): void {
    const { disk, onFailure } = this.#options;
    this.#isVoiding = true;
    const earlier = this.#settled;
    this.#settled = written
      .catch(() => undefined)
      .then(() => disk.record(this.#logFd, Buffer.alloc(VOID_BYTES), logOffsetBytes(base), new Uint8Array(1)))
      .then(
        () => {
          this.#isVoiding = false;
          return earlier;
        },
        (error: unknown) => {
          throw onFailure(error);
        },
      );
    this.#settled.catch(() => undefined);
  }

  /**
   * The commit that is about to be made is expendable. Undefined if the chain has ended before it. Preconditions: in the transaction, which
   * changes something; `expended` follows when it was made.
   */
  beginExpendable(): ExpendableUnderWay | undefined {
    const base = this.#newest();
    const needed = this.#chain?.neededUpTo(base);
    return needed === undefined ? undefined : { base, needed };
  }

  /** The commit was made. */
  expended({ base, needed }: ExpendableUnderWay): void {
    this.#chain?.noteKnown(base + 1n, needed);
  }

  /** No record is on its way to the disk, nor is one still to be made void. */
  async settled(): Promise<void> {
    await this.#settled.catch(() => undefined);
  }

  close(): void {
    closeSync(this.#logFd);
  }

  #newest(): bigint {
    return newestMeta(this.#options.dataFd, this.#options.path).transaction;
  }

  #isChained(base: bigint): boolean {
    // The slot that is written over holds what the durable root has made void.
    return this.#chain?.neededUpTo(base) !== undefined && base - this.#chain.durable < LOG_SLOTS;
  }

  /** Undefined if the record would not make the commit after `base` durable. */
  #encode(base: bigint, bytes: Uint8Array): Buffer | undefined {
    const needed = this.#chain?.neededUpTo(base);
    if (needed === undefined || !this.#isChained(base)) return undefined;
    return encodeLogSlot({ base, needed, epoch: this.epoch, bytes });
  }

  #write(base: bigint, bytes: Uint8Array, done: Uint8Array): RecordUnderWay {
    this.#underWay.add(done);
    const written = this.#options.disk.record(this.#logFd, bytes, logOffsetBytes(base), done).finally(() => {
      this.#underWay.delete(done);
    });
    // Its error is told by `recorded` or `void`.
    written.catch(() => undefined);
    return { base, written, done };
  }
}

function isWritten(done: Uint8Array): boolean {
  return Atomics.load(done, 0) === WRITTEN;
}

/** Another thread has begun to write it. Only whoever comes before the disk waits here. */
async function written(done: Uint8Array): Promise<void> {
  while (Atomics.load(done, 0) === 0) await nextTurn();
  if (!isWritten(done)) throw new Error('the record could not be written');
}
