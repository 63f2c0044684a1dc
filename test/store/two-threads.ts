/** The records of two threads, without the threads. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { silentLog } from '../../src/base/log.ts';
import { AheadRecords } from '../../src/store/ahead-records.ts';
import { CommitChain, newCommitChain } from '../../src/store/commit-chain.ts';
import { commitLogFile, readChain, readDecided } from '../../src/store/commit-log.ts';
import { CommitRecords, type RecordUnderWay } from '../../src/store/commit-records.ts';
import { newestMeta } from '../../src/store/data-file.ts';
import { dataFile, type Environment, openEnvironment } from '../../src/store/environment.ts';
import type { RecordDisk } from '../../src/store/record-disk.ts';
import { makeStateDirectory } from './state-directory.ts';

const BOOT_ID = 'a'.repeat(36);

/** Two threads of one process, of which each write to the log waits until the test lets it happen. */
export class TwoThreads {
  readonly chain: CommitChain;
  /** Of the thread that begins records ahead. */
  readonly ahead: AheadRecords;
  /** Of the one that makes the commits. */
  readonly serving: CommitRecords;
  readonly failures: unknown[] = [];
  readonly #environment: Environment;
  readonly #path: string;
  readonly #dataFd: number;
  readonly #writes: { readonly finish: () => void; readonly fail: (error: Error) => void }[] = [];

  constructor(t: TestContext) {
    const stateDir = makeStateDirectory(t);
    this.#environment = openEnvironment({
      ...{ stateDir, mapSizeBytes: 2 ** 20, readOnly: false, bootId: BOOT_ID, log: silentLog },
    });
    const path = dataFile(stateDir);
    this.#path = path;
    const dataFd = openSync(path, 'r+');
    const logFd = openSync(commitLogFile(path), 'r+');
    this.#dataFd = dataFd;
    const words = newCommitChain();
    this.chain = new CommitChain(words);
    const disk: RecordDisk = { record: (...write) => this.#record(...write) };
    const onFailure = (cause: unknown): Error => {
      this.failures.push(cause);
      return new Error('failed');
    };
    const options = { path, dataFd, logFd, markFd: logFd, disk, onFailure, onLong: () => undefined };
    this.ahead = new AheadRecords({ ...options, chain: new CommitChain(words) });
    this.serving = new CommitRecords({ ...options, chain: new CommitChain(words) });
    this.commit();
    this.chain.noteDurable(this.newest);
    t.after(async () => {
      for (const fd of [dataFd, logFd]) closeSync(fd);
      await this.#environment.close();
    });
  }

  #record(logFd: number, bytes: Uint8Array, offsetBytes: number, done: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        writeSync(logFd, bytes, 0, bytes.length, offsetBytes);
        Atomics.store(done, 0, 1);
        resolve();
      };
      this.#writes.push({ finish, fail: reject });
    });
  }

  get newest(): bigint {
    return newestMeta(this.#dataFd, this.#path).transaction;
  }

  /** Makes one commit; `inside` runs in its transaction. */
  commit(inside: () => void = () => undefined): void {
    this.#environment.transactionSync(
      () => {
        inside();
        this.#environment.putSync(Buffer.from('n'), Buffer.from(String(this.newest)));
      },
      0x1 | 0x2 | 0x10000,
    );
  }

  /** Makes a commit as the serving thread does. */
  publish(text: string, slot?: number): RecordUnderWay | undefined {
    let underWay: RecordUnderWay | undefined;
    this.commit(() => {
      underWay = slot === undefined ? undefined : this.serving.onDisk(slot);
      underWay ??= this.serving.begin(Buffer.from(text));
    });
    return underWay;
  }

  expect(text: string): number {
    const slot = this.ahead.reserve();
    assert(slot !== undefined);
    this.ahead.begin(slot, () => Buffer.from(text));
    return slot;
  }

  expendable(): void {
    let underWay: ReturnType<CommitRecords['beginExpendable']>;
    this.commit(() => {
      underWay = this.serving.beginExpendable();
    });
    assert(underWay !== undefined);
    this.serving.expended(underWay);
  }

  get waiting(): number {
    return this.#writes.length;
  }

  /** The oldest write to the log reaches the disk, or the given one. */
  finish(index = 0): void {
    const [write] = this.#writes.splice(index, 1);
    assert(write !== undefined, 'nothing is being written');
    write.finish();
  }

  failWrite(error: Error): void {
    this.#writes.shift()?.fail(error);
  }

  async waits(): Promise<void> {
    while (this.waiting === 0) await nextTurn();
  }

  /** What a power failure would leave behind the commit with that number. */
  chainFrom(transaction: bigint): readonly string[] {
    return readChain(commitLogFile(this.#path), { transaction, epoch: this.chain.epoch }).map(String);
  }

  decidedAfter(transaction: bigint): string | undefined {
    return readDecided(commitLogFile(this.#path), { transaction, epoch: this.chain.epoch })?.toString();
  }
}
