import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { jsonValue, numberKey } from '../../src/store/codecs.ts';
import { CommitChain, newCommitChain } from '../../src/store/commit-chain.ts';
import { commitLogFile, readChain, readRecord } from '../../src/store/commit-log.ts';
import { CommitRecords, type RecordUnderWay } from '../../src/store/commit-records.ts';
import { newestMeta } from '../../src/store/data-file.ts';
import { dataFile, type Environment, openEnvironment } from '../../src/store/environment.ts';
import { Store } from '../../src/store/store.ts';
import { copyAfterPowerFailure, copyState, makeStateDirectory } from './state-directory.ts';

const BOOT_ID = 'a'.repeat(36);
const AFTER = 'b'.repeat(36);

/** Two threads of one process, of which each write to the log waits until the test lets it happen. */
class TwoThreads {
  readonly chain: CommitChain;
  /** Begins records ahead. */
  readonly main: CommitRecords;
  /** Makes the commits. */
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
    this.#path = dataFile(stateDir);
    this.#dataFd = openSync(this.#path, 'r+');
    const words = newCommitChain();
    this.chain = new CommitChain(words);
    this.main = this.#records(words);
    this.serving = this.#records(words);
    this.commit();
    this.chain.noteDurable(this.newest);
    t.after(async () => {
      this.main.close();
      this.serving.close();
      closeSync(this.#dataFd);
      await this.#environment.close();
    });
  }

  #records(words: BigInt64Array): CommitRecords {
    return new CommitRecords({
      path: this.#path,
      dataFd: this.#dataFd,
      chain: new CommitChain(words),
      disk: {
        record: (logFd, bytes, offsetBytes, done) =>
          new Promise((resolve, reject) => {
            const finish = (): void => {
              writeSync(logFd, bytes, 0, bytes.length, offsetBytes);
              Atomics.store(done, 0, 1);
              resolve();
            };
            this.#writes.push({ finish, fail: reject });
          }),
      },
      onFailure: (cause) => {
        this.failures.push(cause);
        return new Error('failed');
      },
      onLong: () => undefined,
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

  /** Makes the commit of the subject as the serving thread does, and tells how it was recorded. */
  publish(subject: bigint, text = String(subject)): { taken: boolean; decided: boolean; underWay?: RecordUnderWay } {
    let taken = false;
    let decided = false;
    let underWay: RecordUnderWay | undefined;
    this.commit(() => {
      underWay = this.serving.take(subject);
      taken = underWay !== undefined;
      underWay ??= this.serving.begin(Buffer.from(text));
      decided = underWay !== undefined && this.serving.isOnDisk(underWay);
    });
    return { taken, decided, ...(underWay && { underWay }) };
  }

  expect(subject: bigint): void {
    this.main.beginAhead(subject, () => Buffer.from(String(subject)));
  }

  get waiting(): number {
    return this.#writes.length;
  }

  /** The oldest write to the log reaches the disk. */
  finish(): void {
    const write = this.#writes.shift();
    assert(write !== undefined, 'nothing is being written');
    write.finish();
  }

  failWrite(error: Error): void {
    this.#writes.shift()?.fail(error);
  }

  /** What a power failure would leave behind the commit with that number. */
  chainFrom(transaction: bigint): readonly string[] {
    return readChain(commitLogFile(this.#path), { transaction, epoch: this.chain.epoch }).map(String);
  }

  read(base: bigint): string | undefined {
    return readRecord(commitLogFile(this.#path), base)?.toString();
  }
}

test('a record that was begun ahead decides its commit as soon as it is on disk', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect(7n);
  threads.finish();
  const { taken, decided, underWay } = threads.publish(7n);
  assert.deepEqual([taken, decided, threads.waiting], [true, true, 0]);
  assert(underWay !== undefined);
  await threads.serving.recorded(underWay);
  assert.deepEqual(threads.chainFrom(base), ['7']);
  assert.equal(threads.read(base), '7');
  assert.equal(threads.read(base + 1n), undefined);
  assert.equal(threads.chain.ahead, undefined);
});

test('while it is being written the commit is made, and is durable when it is written', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect(7n);
  const { taken, decided, underWay } = threads.publish(7n);
  assert.deepEqual([taken, decided], [true, false]);
  assert(underWay !== undefined);
  const durable = threads.serving.recorded(underWay);
  threads.finish();
  assert(threads.serving.isOnDisk(underWay), 'known without a turn of the event loop');
  await durable;
  assert.deepEqual(threads.chainFrom(base), ['7']);
});

test('a commit that needs one whose record is not on disk is not decided', (t) => {
  const threads = new TwoThreads(t);
  const first = threads.publish(1n);
  assert(first.underWay !== undefined);
  void threads.serving.recorded(first.underWay);
  threads.expect(2n);
  const second = threads.publish(2n);
  assert(second.taken && second.underWay !== undefined);
  assert.equal(second.decided, false);
  threads.finish();
  threads.finish();
  assert(threads.serving.isOnDisk(second.underWay));
});

test('a wrong guess: the record is begun again, and what was written ahead makes the same change before it', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect(7n);
  threads.finish();
  let expendable: { readonly base: bigint; readonly needed: bigint } | undefined;
  threads.commit(() => {
    expendable = threads.main.beginExpendable();
  });
  assert(expendable !== undefined);
  threads.main.expended(expendable);
  const { taken, decided, underWay } = threads.publish(7n);
  assert.deepEqual([taken, decided], [false, false]);
  assert(underWay !== undefined);
  threads.finish();
  await threads.serving.recorded(underWay);
  assert.deepEqual(threads.chainFrom(base), ['7', '7']);
});

test('another commit takes the slot of what is on disk, and to give that up later leaves it alone', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect(7n);
  threads.finish();
  const { taken, underWay } = threads.publish(8n);
  assert(!taken && underWay !== undefined);
  threads.finish();
  await threads.serving.recorded(underWay);
  threads.serving.giveUp(7n);
  assert.equal(threads.waiting, 0);
  assert.deepEqual(threads.chainFrom(base), ['8']);
});

test('another commit has no record while its slot is being written ahead', (t) => {
  const threads = new TwoThreads(t);
  threads.expect(7n);
  assert.equal(threads.publish(8n).underWay, undefined);
  threads.finish();
  assert.equal(threads.waiting, 0);
  assert.equal(threads.publish(7n).taken, false, 'the guess was wrong');
});

test('what is given up is void before anybody is told, also if it is still being written', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect(7n);
  threads.serving.giveUp(7n);
  let isSettled = false;
  const settled = threads.serving.settled().then(() => {
    isSettled = true;
  });
  assert.equal(threads.waiting, 1, 'the void waits for the record');
  threads.expect(8n);
  assert.equal(threads.waiting, 1, 'nothing is begun in a slot that is being made void');
  threads.finish();
  await turnsUntil(() => threads.waiting > 0);
  assert.deepEqual([threads.chainFrom(base), isSettled], [['7'], false]);
  threads.finish();
  await settled;
  assert.deepEqual(threads.chainFrom(base), []);
  assert.equal(threads.publish(7n).taken, false);
});

test('one that comes when its commit is being made is not begun', (t) => {
  const threads = new TwoThreads(t);
  threads.commit(() => {
    assert.equal(threads.serving.take(7n), undefined);
    assert(threads.serving.begin(Buffer.from('7')) !== undefined);
    threads.expect(7n);
    assert.equal(threads.waiting, 1);
  });
});

test('one that comes when its commit is made stays until it is ended: then the next is begun', async (t) => {
  const threads = new TwoThreads(t);
  const { underWay } = threads.publish(7n);
  assert(underWay !== undefined);
  threads.finish();
  await threads.serving.recorded(underWay);
  threads.expect(7n);
  threads.expect(8n);
  assert.equal(threads.waiting, 1, 'one at a time');
  threads.main.endAhead(8n);
  assert.equal(threads.chain.ahead?.subject, 7n);
  threads.main.endAhead(7n);
  threads.finish();
  threads.expect(8n);
  assert.equal(threads.chain.ahead?.subject, 8n);
  threads.finish();
});

test('if it cannot be written nothing is decided, and both threads hear of it', async (t) => {
  const threads = new TwoThreads(t);
  threads.expect(7n);
  const { taken, decided, underWay } = threads.publish(7n);
  assert(taken && !decided && underWay !== undefined);
  const durable = threads.serving.recorded(underWay);
  const broken = new Error('EIO');
  threads.failWrite(broken);
  await assert.rejects(durable, { message: 'failed' });
  await threads.main.settled();
  assert.equal(threads.failures[0], broken);
  assert.equal(threads.failures.length, 2);
});

async function turnsUntil(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTurn();
}

// ---- of a store

const change = (subject: number): Buffer => Buffer.from(String(subject));
const subjectsOf = (store: Store) => store.table('subjects', numberKey, jsonValue<boolean>());
const openBefore = (stateDir: string): Store =>
  Store.open({ stateDir, log: silentLog, bootId: BOOT_ID, commitChain: newCommitChain() });

/** The subjects that are there after a power failure of this moment: nothing but what was flushed, and the log. */
async function afterPowerFailure(stateDir: string, flushed: string): Promise<ReadonlySet<number>> {
  const copy = copyAfterPowerFailure(stateDir, flushed);
  const redo = (store: Store, record: Uint8Array): void => {
    const table = subjectsOf(store);
    store.transactBuffered(() => table.put(Number(Buffer.from(record).toString()), true));
  };
  const store = Store.open({ stateDir: copy, log: silentLog, bootId: AFTER, redo });
  const found = new Set([...subjectsOf(store).range({})].map(({ key }) => key));
  await store.close();
  return found;
}

test('a transaction that fails after it was decided refuses every change; its record can be read', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openBefore(stateDir);
  const table = subjectsOf(store);
  await store.flush();
  store.recordAhead(5n, () => change(5));
  await store.recordsSettled();
  let record: bigint | undefined;
  const fail = (): never => {
    throw new Error('broken');
  };
  const onDecided = (of: bigint): void => {
    record = of;
  };
  assert.throws(() => store.transactRecorded(fail, { record: () => change(5), ahead: 5n, onDecided }), { code: 'IO' });
  assert(record !== undefined);
  assert.equal(Buffer.from(store.readRecord(record) ?? '').toString(), '5');
  assert.throws(() => store.transactBuffered(() => table.put(1, true)), { code: 'IO' });
  await store.close();
});

test('whoever takes the turn of the writer after a decision sees the commit', async (t) => {
  const store = openBefore(makeStateDirectory(t));
  t.after(() => store.close());
  const table = subjectsOf(store);
  await store.flush();
  store.recordAhead(5n, () => change(5));
  await store.recordsSettled();
  const { value } = store.transactRecorded(() => table.put(5, true), {
    record: () => assert.fail('it was begun ahead'),
    ahead: 5n,
    onDecided: () => assert.equal(table.get(5), undefined),
  });
  store.awaitWriter();
  assert.deepEqual([value, table.get(5)], [undefined, true]);
});

const step = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant('expect' as const) },
    { weight: 6, arbitrary: fc.constant('publish' as const) },
    { weight: 1, arbitrary: fc.constantFrom('giveUp', 'expendable', 'buffered', 'flush') },
  ),
  /** Of the subjects that are staged. */
  which: fc.nat(),
  /** Until the disk has it; otherwise the next step comes at once. */
  awaits: fc.boolean(),
});

test('what was decided or durable is there after a power failure, what was given up is not, whatever comes between', async (t) => {
  const base = makeStateDirectory(t);
  let run = 0;
  let decisions = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      run += 1;
      const stateDir = `${base}/${run}`;
      const store = openBefore(stateDir);
      const table = subjectsOf(store);
      const others = store.table('others', numberKey, jsonValue<number>());
      await store.flush();
      const flushed = copyState(stateDir);
      const staged = new Set<number>();
      const promised = new Set<number>();
      const refused = new Set<number>();
      let next = 0;
      for (const { kind, which, awaits } of steps) {
        // Mostly that whose record was begun.
        const subject = [...staged][which % 3 === 0 ? which % Math.max(1, staged.size) : 0];
        if (kind === 'expect') {
          next += 1;
          staged.add(next);
          const begun = next;
          store.recordAhead(BigInt(begun), () => change(begun));
          if (awaits) await store.recordsSettled();
        } else if (kind === 'expendable') store.transactExpendable(() => others.put(1, which));
        else if (kind === 'buffered') store.transactBuffered(() => others.put(2, which));
        else if (kind === 'flush') await store.flush();
        else if (subject !== undefined && kind === 'giveUp') {
          staged.delete(subject);
          store.giveUpRecord(BigInt(subject));
          await store.recordsSettled();
          refused.add(subject);
        } else if (subject !== undefined) {
          staged.delete(subject);
          let atDecision: string | undefined;
          const { durable } = store.transactRecorded(() => table.put(subject, true), {
            record: () => change(subject),
            ahead: BigInt(subject),
            onDecided: () => {
              atDecision = copyState(stateDir);
              promised.add(subject);
            },
          });
          store.endRecordAhead(BigInt(subject));
          if (awaits) {
            await durable;
            promised.add(subject);
          }
          if (atDecision !== undefined) {
            decisions += 1;
            assert((await afterPowerFailure(atDecision, flushed)).has(subject), 'durable when it was decided');
          }
        }
      }
      const found = await afterPowerFailure(stateDir, flushed);
      for (const subject of promised) assert(found.has(subject), `${subject} was promised`);
      for (const subject of refused) assert(!found.has(subject), `${subject} was given up`);
      await store.close();
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
  assert(decisions > 10, `only ${decisions} were decided before they were made`);
});
