/**
 * The metadata of a daemon: one LMDB environment, `<state-dir>/metadata`, opened by each thread that needs it.
 *
 * Reads are synchronous and see the newest commit as of the first read of this turn of the event loop (`refresh` moves
 * on to the newest). Writes happen in transactions only; there is one writer at a time over all threads, and a
 * transaction is one synchronous function, so none lives across an await.
 *
 * A commit comes in two strengths. Buffered: in the page cache, so it survives the death of the process. Durable: a
 * buffered commit, then one flush of the data file, which makes every earlier commit of every thread durable as well.
 * A power failure takes the metadata back to the last durable commit, whole (see durable-root.ts); what stays buffered for
 * some seconds is flushed in the background.
 *
 * A commit that can be made again from a short record, and that comes right after a durable one, is durable as soon as
 * its record is written, which happens while it is made (`transactRecorded`, see commit-log.ts).
 *
 * The first `open` of a process must have returned before another thread opens the same state directory. A thread
 * opens it for writing once.
 */
import assert from 'node:assert/strict';
import { statfsSync, statSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { type Codec, jsonValue, stringKey } from './codecs.ts';
import type { CommitRecords, ExpendableUnderWay, RecordUnderWay } from './commit-records.ts';
import { readBootId, SERVING_PROCESS } from './durable-root.ts';
import { assertThere, dataFile, type Environment, openEnvironment } from './environment.ts';
import { Flusher } from './flusher.ts';
import { checkFormat } from './format-version.ts';
import { fromLmdbError } from './lmdb-error.ts';
import { type BinaryDatabase, LmdbTable, type Table } from './table.ts';

export type { RangeOptions, Table } from './table.ts';

export interface StoreOptions {
  readonly stateDir: string;
  readonly log: Log;
  /** Address space reserved at first; it grows by itself. */
  readonly mapSizeBytes?: number;
  readonly readOnly?: boolean;
  /** Identity of the running kernel; tests pretend that the host was restarted. */
  readonly bootId?: string;
  /** This process serves beside the daemon's, which has the directory open too: only one such process may. */
  readonly ownProcess?: boolean;
  /** Shared by all threads of the process that open the directory (`newCommitChain`). Without it every commit that is recorded is flushed. */
  readonly commitChain?: BigInt64Array;
  /**
   * Makes a recorded commit again that a restart of the host has undone: one buffered commit. Without it a store with such
   * records cannot be opened for writing.
   */
  readonly redo?: Redo;
}

export type Redo = (store: Store, record: Uint8Array) => void;

export interface RecordedOptions {
  readonly record: () => Uint8Array;
  /** From `reserveRecord`. */
  readonly ahead?: number | undefined;
  /**
   * Called in the transaction, after its action, if nothing can undo it any more because its record was begun ahead and is on disk. Whoever takes the
   * writer's lock from then on sees the commit. Should it fail nevertheless, every thread refuses every change; if the process dies before it is
   * made, the next writing `open` makes it.
   */
  readonly onDecided?: (() => void) | undefined;
}

export interface Recorded<T> {
  readonly value: T;
  readonly durable: Promise<void>;
}

/** Among the counters: the newest expendable commit, and how often the store was opened. */
const EXPENDABLE = 'expendable-commit';
const STARTS = 'starts';

/** Large enough that growing, which maps the file anew, is rare; reserved address space costs nothing. */
const MAP_SIZE_BYTES = 256 * 1024 * 1024;

/** A commit that failed with less than this left is taken for a full disk. */
const SPACE_BYTES_MIN = 16 * 1024 * 1024;

/** lmdb's TransactionFlags, which its declarations have as an ambient enum: ABORTABLE | SYNCHRONOUS_COMMIT | NO_SYNC_FLUSH. */
const BUFFERED_COMMIT = 0x1 | 0x2 | 0x10000;

export class Store {
  readonly #environment: Environment;
  readonly #dataFile: string;
  readonly #flusher: Flusher | undefined;
  readonly #tables = new Map<string, BinaryDatabase>();
  readonly #log: Log;
  /** Rows that were logged because they cannot be read. */
  readonly #broken = new Set<string>();
  #afterCommit: (() => void)[] | undefined;
  #closing: Promise<void> | undefined;

  private constructor(environment: Environment, path: string, flusher: Flusher | undefined, log: Log) {
    this.#environment = environment;
    this.#log = log;
    this.#dataFile = path;
    this.#flusher = flusher;
  }

  /** Throws CORRUPT, NOT_SUPPORTED (state of a newer version), NOT_FOUND (read-only and nothing there). */
  static open(options: StoreOptions): Store {
    const { stateDir, log, readOnly = false, mapSizeBytes = MAP_SIZE_BYTES, bootId = readBootId() } = options;
    const path = dataFile(stateDir);
    let undone: readonly Uint8Array[] = [];
    const onUndone = (records: readonly Uint8Array[]): void => {
      undone = records;
    };
    const environment = openEnvironment({ stateDir, readOnly, mapSizeBytes, bootId, log, onUndone });
    const staleReaders = environment.readerCheck();
    if (staleReaders > 0) log.info({ staleReaders }, 'cleared reader slots of processes that died');
    const writer = options.ownProcess === true ? SERVING_PROCESS : threadId;
    const flusher = readOnly
      ? undefined
      : new Flusher(environment, path, bootId, { chain: options.commitChain, writer });
    const store = new Store(environment, path, flusher, log);
    try {
      if (undone.length > 0) store.#redo(undone, options);
      // What an earlier process left in the page cache becomes durable before anything is written over it.
      flusher?.flushSync();
      checkFormat(store, stateDir, readOnly);
      store.#noteStart();
      while (flusher?.ensureHeadroom());
    } catch (error) {
      store.close().catch((reason: unknown) => log.warn({ reason: String(reason) }, 'cannot close the metadata'));
      throw error;
    }
    return store;
  }

  #counters(): Table<string, number> {
    return this.table('counters', stringKey, jsonValue<number>());
  }

  /** One commit of this process's own is durable: no root of an earlier one is as new as the newest of this one. */
  #noteStart(): void {
    if (this.#flusher === undefined) return;
    const counters = this.#counters();
    this.transactDurableSync(() => counters.put(STARTS, (counters.get(STARTS) ?? 0) + 1));
  }

  /** The durable root stays as it is until all are made: if power fails meanwhile, this begins anew. */
  #redo(records: readonly Uint8Array[], { redo, stateDir }: StoreOptions): void {
    if (redo === undefined) {
      throw new DunnageError('CORRUPT', `the metadata in ${stateDir} was in use when the host went down`, {
        remedy: 'Start the daemon once: it makes the last changes again.',
      });
    }
    const pin = this.#environment.useReadTransaction();
    try {
      for (const record of records) redo(this, record);
    } finally {
      pin.done();
    }
    this.#log.info({ changes: records.length }, 'made changes again that were durable as records only');
  }

  /** Throws NOT_FOUND if there is no metadata in the state directory. */
  static requireThere(stateDir: string): void {
    assertThere(stateDir);
  }

  /** Opens or creates a table. Preconditions: not in a transaction. */
  table<K, V>(name: string, key: Codec<K>, value: Codec<V>): Table<K, V> {
    let database = this.#tables.get(name);
    if (database === undefined) {
      assert(!this.inTransaction, 'open tables before the transaction');
      try {
        database = this.#environment.openDB<Buffer, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary' });
      } catch (error) {
        throw fromLmdbError(error, `cannot open the table ${name}`);
      }
      if (database !== undefined) this.#tables.set(name, database);
    }
    return new LmdbTable(database, key, value, {
      name,
      inTransaction: () => this.inTransaction,
      onBroken: (table, rawKey, reason) => this.#logBroken(table, rawKey, reason),
    });
  }

  /** Once for each row: lists are read again and again. */
  #logBroken(table: string, key: Uint8Array, reason: unknown): void {
    const row = `${table} ${Buffer.from(key).toString('hex')}`;
    if (this.#broken.has(row)) return;
    this.#broken.add(row);
    const error = reason instanceof Error ? reason.name : typeof reason;
    this.#log.error({ table, key: row.slice(table.length + 1), error }, 'a row of the metadata cannot be read');
  }

  get inTransaction(): boolean {
    return this.#afterCommit !== undefined;
  }

  /** One atomic transaction, committed without a flush. If `action` throws, nothing of it is kept. */
  transactBuffered<T>(action: () => T): T {
    assert(!this.inTransaction, 'a transaction must not begin inside another one');
    assert(this.#flusher !== undefined, 'the store is read-only');
    this.#flusher.assertHealthy();
    const afterCommit: (() => void)[] = [];
    let result: { readonly value: T } | undefined;
    try {
      // The result stays out of lmdb's sight: it would wait for a promise and abort on a certain number.
      this.#environment.transactionSync(() => {
        this.#flusher?.assertNothingDecided();
        this.#afterCommit = afterCommit;
        const value = action();
        assert(!(value instanceof Promise), 'a transaction must not wait');
        result = { value };
      }, BUFFERED_COMMIT);
    } catch (error) {
      // If the action ran to its end it was the commit that failed.
      throw result === undefined ? fromLmdbError(error, 'cannot change the metadata') : this.#commitError(error);
    } finally {
      this.#afterCommit = undefined;
    }
    this.#flusher.noteBuffered();
    for (const callback of afterCommit) callback();
    assert(result !== undefined);
    return result.value;
  }

  /**
   * One atomic transaction; resolves once it and all earlier ones are on disk. The flush runs in the libuv pool. Other
   * readers see the change before it resolves. If it rejects with IO after the commit, the change is visible but not
   * safe, and nothing can be changed until the daemon is restarted.
   */
  async transactDurable<T>(action: () => T): Promise<T> {
    const result = this.transactBuffered(action);
    await this.flush();
    return result;
  }

  /** The same, but blocks the thread until the flush is done. */
  transactDurableSync<T>(action: () => T): T {
    const result = this.transactBuffered(action);
    assert(this.#flusher !== undefined);
    this.#flusher.flushSync();
    return result;
  }

  /**
   * One atomic transaction, which can be made again from a record; that is written while the transaction is made. It is visible when this
   * returns, and durable when `durable` resolves: by its record, or where that is not enough by a flush. Rejects as
   * `transactDurable` does. If this throws, nobody may be told of the failure before `recordsSettled`: until then a power
   * failure might still make the commit.
   */
  transactRecorded<T>(action: () => T, { record, ahead, onDecided }: RecordedOptions): Recorded<T> {
    const records = this.#records;
    let underWay: RecordUnderWay | undefined;
    let isDecided = false;
    let value: T;
    try {
      value = this.transactBuffered(() => {
        const early = ahead === undefined ? undefined : records.onDisk(ahead);
        underWay = early ?? records.begin(record());
        const result = action();
        const written = early ?? (ahead === undefined ? undefined : records.onDisk(ahead));
        if (ahead === undefined || written === undefined || onDecided === undefined) return result;
        if (this.#flusher?.hasHeadroom() === true) {
          records.decide(ahead, written);
          isDecided = true;
          onDecided();
        }
        return result;
      });
    } catch (error) {
      if (isDecided) throw this.#flusher?.fail(error);
      if (underWay?.isAhead === false) records.void(underWay);
      throw error;
    }
    if (isDecided) this.#flusher?.noteDecidedMade();
    return { value, durable: underWay === undefined ? this.flush() : records.recorded(underWay) };
  }

  /**
   * A place for the record of one transaction, to be begun ahead of it, on one thread of the process; undefined if there is none. `endRecord` or `voidRecord`
   * follows there; meanwhile `transactRecorded` may be called with it, on another thread too.
   */
  reserveRecord(): number | undefined {
    return this.#flusher?.ahead?.reserve();
  }

  /** Begins to write the record, on the guess that no other commit comes before its transaction. Nothing happens if that would be of no use. */
  beginRecord(ahead: number, record: () => Uint8Array): void {
    this.#flusher?.ahead?.begin(ahead, record);
  }

  /** The transaction was made. */
  endRecord(ahead: number): void {
    this.#flusher?.ahead?.end(ahead);
  }

  /** The transaction will not be made. Nobody may be told of that before this resolves: until then a power failure might still make it. */
  async voidRecord(ahead: number): Promise<void> {
    await this.#flusher?.ahead?.void(ahead);
  }

  /**
   * One atomic transaction that a power failure may undo although commits after it were recorded: nothing that is recorded may build on it.
   * The recorded commits that follow need no flush because of it.
   */
  transactExpendable<T>(action: () => T): T {
    let underWay: ExpendableUnderWay | undefined;
    const counters = this.#counters();
    const value = this.transactBuffered(() => {
      underWay = this.#flusher?.records.beginExpendable();
      // LMDB gives an empty commit no number, and the next one would be taken for it.
      if (underWay !== undefined) counters.put(EXPENDABLE, Number(underWay.base) + 1);
      return action();
    });
    if (underWay !== undefined) this.#flusher?.records.expended(underWay);
    return value;
  }

  /** Returns when whoever is in a transaction has committed it; the next reads see that. */
  awaitWriter(): void {
    this.#environment.transactionSync(() => undefined);
    this.refresh();
  }

  /** Resolves when each record is on disk, or void if its commit was not made. Never rejects: a failure refuses every change. */
  async recordsSettled(): Promise<void> {
    await this.#flusher?.records.settled();
    await this.#flusher?.ahead?.settled();
  }

  /** Resolves once every commit made so far, by any thread, is on disk. */
  async flush(): Promise<void> {
    assert(this.#flusher !== undefined, 'the store is read-only');
    assert(!this.inTransaction, 'a transaction must not wait');
    await this.#flusher.flush();
  }

  /** Runs `action` after the commit, or never if the transaction is abandoned. Preconditions: in a transaction. */
  afterCommit(action: () => void): void {
    assert(this.#afterCommit !== undefined, 'afterCommit needs a transaction');
    this.#afterCommit.push(action);
  }

  /** The next reads see the newest commit of any thread. */
  refresh(): void {
    if (!this.inTransaction) this.#environment.resetReadTxn();
  }

  /** Size of the data file. */
  get sizeBytes(): number {
    try {
      return statSync(this.#dataFile).size;
    } catch (error) {
      throw fromSystemError(error, `cannot look at ${this.#dataFile}`);
    }
  }

  /** Waits for flushes under way. Calling it again is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #records(): CommitRecords {
    assert(this.#flusher !== undefined, 'the store is read-only');
    return this.#flusher.records;
  }

  /** LMDB goes on after a full disk; after anything else what it holds in memory is not to be trusted. */
  #commitError(cause: unknown): unknown {
    assert(this.#flusher !== undefined);
    const { bavail, bsize } = statfsSync(this.#dataFile);
    // LMDB calls a write that was cut short an I/O error, whatever the reason.
    if (bavail * bsize < SPACE_BYTES_MIN) {
      const remedy = 'Free space on the file system of the state directory.';
      return new DunnageError('NO_SPACE', 'cannot commit a change of the metadata: the disk is full', {
        remedy,
        cause,
      });
    }
    return this.#flusher.fail(fromLmdbError(cause, 'cannot commit a change of the metadata'));
  }

  async #close(): Promise<void> {
    await this.#flusher?.close();
    await this.#environment.close();
  }
}
