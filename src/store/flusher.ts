/**
 * Makes commits durable: flushes the data file, then records the flushed commit as the durable root (durable-root.ts
 * says why). That is as many flushes as a commit of LMDB's own takes, but none of them blocks the thread.
 *
 * At most one runs at a time. Whoever asks meanwhile shares the next one: a flush covers everything committed before it
 * began, by any thread, and nothing else.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { threadId } from 'node:worker_threads';
import { DunnageError } from '../errors/dunnage-error.ts';
import { newestMeta } from './data-file.ts';
import {
  type DurableRoot,
  durableRootFile,
  encodeSlot,
  firstSlot,
  readRoots,
  SLOT_BYTES,
  SLOTS_PER_THREAD,
} from './durable-root.ts';
import type { Environment } from './environment.ts';

const writeAsync = promisify(write);

/** The flush itself, as a port: a test's disk can fail. */
export interface Disk {
  flush(fd: number): Promise<void>;
  flushSync(fd: number): void;
}

const realDisk: Disk = { flush: promisify(fdatasync), flushSync: fdatasyncSync };

/** How often a thread looks whether another one made its pinned commit obsolete. */
const PIN_CHECK_MS = 1_000;

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

export class Flusher {
  readonly #environment: Environment;
  readonly #path: string;
  readonly #bootId: string;
  readonly #disk: Disk;
  readonly #dataFd: number;
  readonly #rootFd: number;
  readonly #pinCheck: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #slotUnderWay: number | undefined;
  #durable: { readonly transaction: bigint; readonly slot: number | undefined; readonly pin: Pin | undefined };
  #failure: DunnageError | undefined;

  /** Preconditions: `recover` ran before the environment was opened. Call `flushSync` before the first commit. */
  constructor(environment: Environment, path: string, bootId: string, disk: Disk = realDisk) {
    this.#environment = environment;
    this.#path = path;
    this.#bootId = bootId;
    this.#disk = disk;
    this.#dataFd = openSync(path, 'r');
    this.#rootFd = openSync(durableRootFile(path), constants.O_RDWR | constants.O_DSYNC);
    this.#durable = { transaction: 0n, slot: undefined, pin: undefined };
    this.#pinCheck = setInterval(() => this.dropObsoletePin(), PIN_CHECK_MS).unref();
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
    try {
      this.#disk.flushSync(this.#dataFd);
      writeSync(this.#rootFd, candidate.bytes, 0, SLOT_BYTES, candidate.slot * SLOT_BYTES);
    } catch (error) {
      throw this.#fail(error, candidate);
    }
    this.#adopt(candidate);
  }

  /**
   * Throws the error of an earlier flush. The kernel reports a failed write-back once and then forgets the pages, so
   * a later flush that succeeds proves nothing.
   */
  assertHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Lets LMDB reuse the pages of this thread's durable commit once another thread recorded a newer one. */
  dropObsoletePin(): void {
    const { transaction, pin } = this.#durable;
    if (pin === undefined || this.#running !== undefined) return;
    // A root may be visible before it is on disk, therefore only what it says of commits before it counts.
    if (!readRoots(this.#rootFd).some((root) => root.durableTransaction > transaction)) return;
    this.#durable = { ...this.#durable, pin: undefined };
    pin.done();
  }

  async close(): Promise<void> {
    clearInterval(this.#pinCheck);
    while (this.#running !== undefined) await (this.#next ?? this.#running).catch(() => undefined);
    if (this.#failure === undefined) this.flushSync();
    this.#durable.pin?.done();
    closeSync(this.#dataFd);
    closeSync(this.#rootFd);
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
    this.#slotUnderWay = candidate.slot;
    try {
      await this.#disk.flush(this.#dataFd);
      await writeAsync(this.#rootFd, candidate.bytes, 0, SLOT_BYTES, candidate.slot * SLOT_BYTES);
    } catch (error) {
      throw this.#fail(error, candidate);
    } finally {
      this.#slotUnderWay = undefined;
    }
    this.#adopt(candidate);
  }

  /** Pins the newest commit and describes it. The pin may be at an earlier commit, which protects the later one too. */
  #pinNewest(): Candidate {
    this.#environment.resetReadTxn();
    const pin = this.#environment.useReadTransaction();
    // An empty transaction: while it holds the writer's lock the meta pages stand still.
    const meta = this.#environment.transactionSync(() => newestMeta(this.#dataFd, this.#path));
    const root: DurableRoot = {
      transaction: meta.transaction,
      durableTransaction: this.#durable.transaction,
      bootId: this.#bootId,
      meta: meta.bytes,
    };
    return { pin, transaction: meta.transaction, slot: this.#freeSlot(), bytes: encodeSlot(root) };
  }

  #freeSlot(): number {
    const first = firstSlot(threadId);
    for (let slot = first; slot < first + SLOTS_PER_THREAD; slot += 1) {
      if (slot !== this.#durable.slot && slot !== this.#slotUnderWay) return slot;
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
    previous?.done();
  }

  #fail(cause: unknown, { pin }: Candidate): DunnageError {
    pin.done();
    this.#failure ??= new DunnageError('IO', 'the metadata could not be flushed to disk', {
      remedy: 'Check the disk (dmesg), then restart the daemon: until then it refuses to change anything.',
      cause,
    });
    return this.#failure;
  }
}
