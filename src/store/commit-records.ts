/**
 * Writes the records that make single commits durable (commit-log.ts), on the one thread of a process that makes commits with records; any may make
 * commits that the chain of them goes on over (commit-chain.ts).
 *
 *   begun in the transaction -> written, commit made -> durable
 *                            -> commit not made      -> void: erased before anybody hears of the failure
 *   begun ahead (ahead-records.ts), and on disk when the transaction begins -> the commit is durable as soon as it is made, and can be decided before
 */
import { writeSync } from 'node:fs';
import type { CommitChain } from './commit-chain.ts';
import {
  DECIDED_MARK,
  decidedOffsetBytes,
  encodeLogSlot,
  LOG_SLOTS,
  logOffsetBytes,
  type NeededCommit,
  VOID_HEAD,
} from './commit-log.ts';
import { newestMeta } from './data-file.ts';
import type { RecordDisk } from './record-disk.ts';

/** Records on their way to the disk. */
const UNDER_WAY_MAX = LOG_SLOTS / 4;
/** So many commits after the durable root a flush of everything begins, so that the log never fills up. */
const CHAIN_MAX = 128;

/** A record of a commit that is about to be made. */
export interface RecordUnderWay {
  /** Number of the commit before. */
  readonly base: bigint;
  readonly written: Promise<void>;
  /** It was begun ahead, and is on disk. */
  readonly isAhead: boolean;
}

/** An expendable commit that is about to be made: the number of the commit before, and the last one that is needed. */
export interface ExpendableUnderWay {
  readonly base: bigint;
  readonly needed: NeededCommit;
}

export interface CommitRecordsOptions {
  /** Of the data file. */
  readonly path: string;
  readonly dataFd: number;
  /** Writes through it are on disk when they return. */
  readonly logFd: number;
  /** Of the same file, and writes through it are not. */
  readonly markFd: number;
  readonly disk: RecordDisk;
  readonly chain: CommitChain | undefined;
  /** The disk failed: every later change is refused. Returns the error that says so. */
  readonly onFailure: (cause: unknown) => Error;
  /** The chain is long enough: a flush of everything shall begin a new one. */
  readonly onLong: () => void;
}

export class CommitRecords {
  readonly #options: CommitRecordsOptions;
  readonly #chain: CommitChain | undefined;
  /** Every commit that was recorded is durable once it resolves. */
  #settled: Promise<void> = Promise.resolve();
  /** A mark for each record that is not known to be on disk: see `RecordDisk`. */
  readonly #underWay = new Set<Uint8Array>();
  #isVoiding = false;

  constructor(options: CommitRecordsOptions) {
    this.#options = options;
    this.#chain = options.chain;
  }

  /**
   * Begins to write a record of the commit that is about to be made. Undefined if that would not make it durable: then it
   * needs a flush. Preconditions: in the transaction, which has the writer's lock: nobody commits anything in between; `recorded` or `void` follows.
   */
  begin(record: Uint8Array): RecordUnderWay | undefined {
    if (this.#chain === undefined || this.#isVoiding || this.#underWay.size >= UNDER_WAY_MAX) return undefined;
    const base = this.#newest();
    const needed = this.#chain.neededUpTo(base);
    // The slot that is written over holds what the durable root has made void.
    if (needed === undefined || base - this.#chain.durable >= LOG_SLOTS) return undefined;
    const bytes = encodeLogSlot({ base, needed, epoch: this.#chain.epoch, bytes: record });
    if (bytes === undefined) return undefined;
    const done = new Uint8Array(1);
    this.#underWay.add(done);
    // One that fails stays under way: nothing is decided any more.
    const written = this.#write(base, bytes, done).then(() => {
      this.#underWay.delete(done);
    });
    // Its error is told by `recorded` or `void`.
    written.catch(() => undefined);
    return { base, written, isAhead: false };
  }

  /**
   * The record that was begun ahead in that slot, if it is that of the commit that is about to be made, and on disk with all that it needs: then nothing but `void` of
   * it can undo the commit any more. Preconditions: as for `begin`.
   */
  onDisk(slot: number): RecordUnderWay | undefined {
    const chain = this.#chain;
    const base = chain?.aheadBase(slot);
    if (chain === undefined || base === undefined || this.#isVoiding || this.#newest() !== base) return undefined;
    if (!isSet(chain.aheadDone(slot)) || ![...this.#underWay].every(isSet)) return undefined;
    return { base, written: Promise.resolve(), isAhead: true };
  }

  /**
   * The commit is announced before it is made: if this process dies in between, whoever opens the metadata next makes it. Preconditions: `onDisk` has
   * just told that the record in that slot is there.
   */
  decide(slot: number, { base }: RecordUnderWay): void {
    writeSync(this.#options.markFd, DECIDED_MARK, 0, DECIDED_MARK.length, decidedOffsetBytes(slot));
    if (this.#chain !== undefined) this.#chain.decided = base;
  }

  /** The commit was made. Resolves when it is durable. */
  recorded({ base, written, isAhead }: RecordUnderWay): Promise<void> {
    const { onFailure, onLong } = this.#options;
    if (this.#newest() <= base) throw onFailure(new Error('an empty commit'));
    const commit = base + 1n;
    this.#chain?.noteKnown(commit, { commit, isAhead });
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
    const { onFailure } = this.#options;
    this.#isVoiding = true;
    const earlier = this.#settled;
    this.#settled = written
      .catch(() => undefined)
      .then(() => this.#write(base, VOID_HEAD, new Uint8Array(1)))
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

  #newest(): bigint {
    return newestMeta(this.#options.dataFd, this.#options.path).transaction;
  }

  #write(base: bigint, bytes: Uint8Array, done: Uint8Array): Promise<void> {
    const { disk, logFd } = this.#options;
    return disk.record(logFd, bytes, logOffsetBytes(base), done);
  }
}

function isSet(done: Uint8Array): boolean {
  return Atomics.load(done, 0) === 1;
}
