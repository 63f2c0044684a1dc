/**
 * Makes commits durable: flushes the data file, then records the flushed commit as the durable root (durable-root.ts
 * says why). That is as many flushes as a commit of LMDB's own takes, but none of them blocks the thread.
 *
 * Each thread pins the commit of its own newest root. A pin protects all later commits too, so whichever thread's root is
 * the newest, and whichever thread closes first, the newest root is protected. Threads that share a chain (which knows the newest
 * durable commit of any of them) give up a pin that a newer one of another thread has overtaken: an old pin keeps LMDB from
 * using freed pages again, and the file grows. A thread that stays must flush before the one with the newer pin closes.
 *
 * A commit of which a record is written needs no flush at all, as long as the log of records has a chain to it
 * (commit-log.ts, commit-records.ts).
 *
 * At most one flush of a thread runs at a time. Whoever asks meanwhile shares the next one: a flush covers everything
 * committed before it began, by any thread, and nothing else.
 */
import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { AheadRecords } from './ahead-records.ts';
import { CommitChain } from './commit-chain.ts';
import { commitLogFile, NO_EPOCH } from './commit-log.ts';
import { CommitRecords } from './commit-records.ts';
import { newestMeta } from './data-file.ts';
import {
  type DurableRoot,
  durableRootFile,
  encodeSlot,
  firstSlot,
  newestSlot,
  SLOT_BYTES,
  SLOTS_PER_THREAD,
} from './durable-root.ts';
import type { Environment } from './environment.ts';
import { ensureHeadroom, hasHeadroom } from './headroom.ts';
import type { RecordDisk } from './record-disk.ts';

/** Flushes the data file, then writes the root, as a port: a test's disk can fail. */
export interface Disk extends RecordDisk {
  commit(dataFd: number, rootFd: number, root: Uint8Array, offsetBytes: number): Promise<void>;
  commitSync(dataFd: number, rootFd: number, root: Uint8Array, offsetBytes: number): void;
}

const realDisk: Disk = {
  commit: (dataFd, rootFd, root, offsetBytes) => loadNative().flushThenWrite(dataFd, rootFd, root, offsetBytes),
  commitSync(dataFd, rootFd, root, offsetBytes) {
    fdatasyncSync(dataFd);
    writeSync(rootFd, root, 0, root.length, offsetBytes);
  },
  record: (logFd, bytes, offsetBytes, done) => loadNative().writeThrough(logFd, bytes, offsetBytes, done),
};

/**
 * What nobody waits for is flushed in the background: once a commit of any thread was missing on this thread's account
 * for some checks, or after so many commits. That bounds what a power failure takes, and how long old pages stay pinned.
 */
const CHECK_MS = 1_000;
const CHECKS_MAX = 3;
const BUFFERED_COMMITS_MAX = 1_000;
/** Few enough that commits of ordinary size cannot use up the headroom between two looks. */
const HEADROOM_CHECK_COMMITS = 4;

/** A read transaction that keeps LMDB from overwriting the pages of a commit. */
interface Pin {
  done(): void;
}

interface Candidate {
  readonly pin: Pin;
  readonly transaction: bigint;
  readonly slot: number;
  readonly bytes: Buffer;
}

export interface FlusherOptions {
  /** Of all threads of the process; see `newCommitChain`. */
  readonly chain?: BigInt64Array | undefined;
  /** Number of the thread, or `SERVING_PROCESS`. */
  readonly writer: number;
  readonly disk?: Disk;
}

export class Flusher {
  readonly #environment: Environment;
  readonly #path: string;
  readonly #bootId: string;
  readonly #disk: Disk;
  readonly #dataFd: number;
  readonly #rootFd: number;
  readonly #checks: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #slotUnderWay: number | undefined;
  #durable: { readonly transaction: bigint; readonly slot: number | undefined; readonly pin: Pin | undefined };
  #failure: DunnageError | undefined;
  #bufferedCommits = 0;
  /** The end of the data file is looked at in the next turn of the event loop. */
  #isLengthening = false;
  #checksBehind = 0;
  readonly #chain: CommitChain | undefined;
  readonly #firstSlot: number;
  /** Of the newest root before this flusher's first. */
  readonly #formerSlot: number | undefined;
  readonly #logFds: readonly number[];
  readonly records: CommitRecords;
  /** Undefined where the threads know nothing of each other's commits. */
  readonly ahead: AheadRecords | undefined;
  #isClosing = false;

  /** Preconditions: `recover` ran before the environment was opened. Call `flushSync` before the first commit. */
  constructor(environment: Environment, path: string, bootId: string, options: FlusherOptions) {
    const { chain, writer, disk = realDisk } = options;
    this.#environment = environment;
    this.#path = path;
    this.#bootId = bootId;
    this.#chain = chain === undefined ? undefined : new CommitChain(chain);
    this.#firstSlot = firstSlot(writer);
    this.#formerSlot = newestSlot(durableRootFile(path), bootId);
    this.#disk = disk;
    this.#dataFd = openSync(path, 'r+');
    this.#rootFd = openSync(durableRootFile(path), constants.O_RDWR | constants.O_DSYNC);
    const log = commitLogFile(path);
    const logFd = openSync(log, constants.O_RDWR | constants.O_DSYNC);
    const markFd = openSync(log, constants.O_RDWR);
    this.#logFds = [logFd, markFd];
    const onFailure = (cause: unknown): DunnageError => this.fail(cause);
    const files = { path, disk, dataFd: this.#dataFd, logFd, markFd, onFailure };
    this.ahead = this.#chain && new AheadRecords({ ...files, chain: this.#chain });
    this.records = new CommitRecords({
      ...{ ...files, chain: this.#chain },
      onLong: () => {
        if (!this.#isClosing) this.#flushInBackground();
      },
    });
    this.#durable = { transaction: 0n, slot: undefined, pin: undefined };
    this.#checks = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** Resolves once everything committed before the call, by any thread, is on disk. Waits in the libuv pool. */
  flush(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  flushSync(): void {
    this.assertHealthy();
    const candidate = this.#pinNewest();
    if (candidate === undefined) return;
    try {
      this.#disk.commitSync(this.#dataFd, this.#rootFd, candidate.bytes, candidate.slot * SLOT_BYTES);
    } catch (error) {
      candidate.pin.done();
      throw this.fail(error);
    }
    this.#adopt(candidate);
  }

  /** Throws IO if a commit was announced and could not be made: nothing may take its number. Preconditions: in a transaction. */
  assertNothingDecided(): void {
    const decided = this.#chain?.decided;
    if (decided === undefined || newestMeta(this.#dataFd, this.#path).transaction !== decided) return;
    throw this.fail(new Error('a commit that was announced could not be made'));
  }

  /** The commit that was decided is made. */
  noteDecidedMade(): void {
    if (this.#chain !== undefined) this.#chain.decided = undefined;
  }

  /**
   * Throws the error of an earlier flush. The kernel reports a failed write-back once and then forgets the pages, so
   * a later flush that succeeds proves nothing.
   */
  assertHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** A commit was made by this thread and nobody waits for its flush. */
  noteBuffered(): void {
    this.#bufferedCommits += 1;
    this.#giveUpOvertakenPin();
    if (this.#bufferedCommits % HEADROOM_CHECK_COMMITS === 0) this.#ensureHeadroomSoon();
    if (this.#bufferedCommits >= BUFFERED_COMMITS_MAX) this.#flushInBackground();
  }

  /** Whoever waits for the commit does not wait for this, unless commit follows commit and nothing else has a turn. */
  #ensureHeadroomSoon(): void {
    if (this.#isLengthening) {
      this.ensureHeadroom();
      return;
    }
    this.#isLengthening = true;
    setImmediate(() => {
      this.#isLengthening = false;
      if (this.#isClosing || this.#failure !== undefined) return;
      try {
        this.ensureHeadroom();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Lengthens the data file by a step ahead of need; true if that was necessary and possible. Preconditions: not in a transaction. */
  ensureHeadroom(): boolean {
    return ensureHeadroom(this.#environment, this.#dataFd, this.#path);
  }

  /** Whether a commit of ordinary size cannot fail for want of space. Preconditions: in a transaction. */
  hasHeadroom(): boolean {
    return hasHeadroom(this.#dataFd, this.#path);
  }

  /** After a commit that failed halfway, or a flush: from now on every change is refused. */
  fail(cause: unknown): DunnageError {
    this.#failure ??= new DunnageError('IO', 'the metadata could not be written to disk', {
      remedy: 'Check the disk (dmesg), then restart the daemon: until then it refuses to change anything.',
      cause,
    });
    return this.#failure;
  }

  async close(): Promise<void> {
    clearInterval(this.#checks);
    this.#isClosing = true;
    await this.records.settled();
    while (this.#running !== undefined) await (this.#next ?? this.#running).catch(() => undefined);
    if (this.#failure === undefined) this.flushSync();
    await this.ahead?.close();
    this.#durable.pin?.done();
    closeSync(this.#dataFd);
    closeSync(this.#rootFd);
    for (const fd of this.#logFds) closeSync(fd);
  }

  #start(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    this.assertHealthy();
    const candidate = this.#pinNewest();
    if (candidate === undefined) return;
    this.#slotUnderWay = candidate.slot;
    try {
      await this.#disk.commit(this.#dataFd, this.#rootFd, candidate.bytes, candidate.slot * SLOT_BYTES);
    } catch (error) {
      candidate.pin.done();
      throw this.fail(error);
    } finally {
      this.#slotUnderWay = undefined;
    }
    this.#adopt(candidate);
  }

  /**
   * Pins the newest commit and describes it; undefined if it is on disk already. The pin may be at an earlier commit,
   * which protects the later one too. Preconditions: not in a transaction.
   */
  #pinNewest(): Candidate | undefined {
    this.#environment.resetReadTxn();
    const pin = this.#environment.useReadTransaction();
    // An empty transaction: while it holds the writer's lock the meta pages stand still.
    const meta = this.#environment.transactionSync(() => newestMeta(this.#dataFd, this.#path));
    this.#bufferedCommits = 0;
    this.#checksBehind = 0;
    if (this.#durable.slot !== undefined && meta.transaction === this.#durable.transaction) {
      pin.done();
      return undefined;
    }
    const root: DurableRoot = {
      transaction: meta.transaction,
      bootId: this.#bootId,
      meta: meta.bytes,
      epoch: this.#chain?.epoch ?? NO_EPOCH,
    };
    return { pin, transaction: meta.transaction, slot: this.#freeSlot(), bytes: encodeSlot(root) };
  }

  #freeSlot(): number {
    const first = this.#firstSlot;
    for (let slot = first; slot < first + SLOTS_PER_THREAD; slot += 1) {
      if (slot !== (this.#durable.slot ?? this.#formerSlot) && slot !== this.#slotUnderWay) return slot;
    }
    throw new Error('unreachable: one of three slots is free');
  }

  /** Preconditions: the candidate's root is on disk. */
  #adopt({ pin, transaction, slot }: Candidate): void {
    if (this.#durable.slot !== undefined && transaction < this.#durable.transaction) {
      pin.done();
      return;
    }
    const { pin: previous } = this.#durable;
    this.#durable = { transaction, slot, pin };
    this.#chain?.noteDurable(transaction);
    previous?.done();
  }

  #giveUpOvertakenPin(): void {
    const { transaction, slot, pin } = this.#durable;
    if (pin === undefined || this.#chain === undefined || this.#chain.durable <= transaction) return;
    this.#durable = { transaction, slot, pin: undefined };
    pin.done();
  }

  #check(): void {
    try {
      // Unlocked: at worst it is wrong about a commit of this very moment.
      const isBehind = newestMeta(this.#dataFd, this.#path).transaction !== this.#durable.transaction;
      this.#checksBehind = isBehind ? this.#checksBehind + 1 : 0;
    } catch (error) {
      this.fail(error);
    }
    if (this.#checksBehind >= CHECKS_MAX) this.#flushInBackground();
  }

  #flushInBackground(): void {
    // A failure is kept and refuses the next change.
    if (this.#running === undefined) this.flush().catch(() => undefined);
  }
}
