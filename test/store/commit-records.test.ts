import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { jsonValue, numberKey } from '../../src/store/codecs.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { Store } from '../../src/store/store.ts';
import type { Table } from '../../src/store/table.ts';
import { copyAfterPowerFailure, copyState, makeStateDirectory } from './state-directory.ts';
import { TwoThreads } from './two-threads.ts';

const BOOT_ID = 'a'.repeat(36);
const AFTER = 'b'.repeat(36);

test('a record that was begun ahead and is on disk is all that its commit needs', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  const slot = threads.expect('7');
  assert.equal(threads.serving.onDisk(slot), undefined, 'it is on its way');
  threads.finish();
  const underWay = threads.publish('7', slot);
  assert(underWay?.isAhead === true);
  assert.equal(threads.waiting, 0);
  await threads.serving.recorded(underWay);
  const next = threads.publish('8');
  assert(next !== undefined);
  threads.finish();
  await threads.serving.recorded(next);
  assert.deepEqual(threads.chainFrom(base), ['7', '8']);
});

test('one that is still on its way is begun once more, and both make the same change', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  const slot = threads.expect('7');
  const underWay = threads.publish('7', slot);
  assert(underWay?.isAhead === false);
  const durable = threads.serving.recorded(underWay);
  threads.finish(1);
  await durable;
  assert.deepEqual(threads.chainFrom(base), ['7']);
  threads.finish();
  assert.deepEqual(threads.chainFrom(base), ['7', '7']);
});

test('nothing is decided while a record that it needs is on its way, or could not be written', async (t) => {
  const threads = new TwoThreads(t);
  const first = threads.publish('1');
  assert(first !== undefined);
  const durable = threads.serving.recorded(first);
  const slot = threads.expect('2');
  threads.finish(1);
  assert.equal(threads.serving.onDisk(slot), undefined);
  threads.failWrite(new Error('EIO'));
  await assert.rejects(durable, { message: 'failed' });
  const other = threads.expect('3');
  threads.finish();
  assert.equal(threads.serving.onDisk(other), undefined);
});

test('a wrong guess: other commits have their records beside it, and it makes its change as well', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  const slot = threads.expect('7');
  threads.finish();
  const other = threads.publish('8');
  assert(other !== undefined);
  threads.finish();
  await threads.serving.recorded(other);
  assert.equal(threads.serving.onDisk(slot), undefined);
  threads.expendable();
  const underWay = threads.publish('7', slot);
  assert(underWay?.isAhead === false);
  threads.finish();
  await threads.serving.recorded(underWay);
  assert.deepEqual(threads.chainFrom(base), ['7', '8', '7']);
});

test('a commit that was lost is not replaced by a wrong guess with the same number', (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  threads.expect('guess');
  threads.finish();
  const lost = threads.publish('lost');
  assert(lost !== undefined);
  void threads.serving.recorded(lost);
  const next = threads.publish('needs what was lost');
  assert(next !== undefined);
  threads.finish(1);
  assert.deepEqual(threads.chainFrom(base), ['guess']);
});

test('what was decided is found as long as it is not made', (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  const slot = threads.expect('7');
  threads.finish();
  assert.equal(threads.decidedAfter(base), undefined);
  threads.commit(() => {
    const underWay = threads.serving.onDisk(slot);
    assert(underWay !== undefined);
    threads.serving.decide(slot, underWay);
    assert.equal(threads.chain.decided, base);
    assert.equal(threads.decidedAfter(base), '7');
  });
  assert.equal(threads.decidedAfter(threads.newest), undefined);
});

// ---- of a store

const change = (subject: number): Buffer => Buffer.from(String(subject));
const subjectsOf = (store: Store): Table<number, boolean> => store.table('subjects', numberKey, jsonValue<boolean>());
const openBefore = (stateDir: string): Store =>
  Store.open({ stateDir, log: silentLog, bootId: BOOT_ID, commitChain: newCommitChain() });
const redo = (store: Store, record: Uint8Array): void => {
  const table = subjectsOf(store);
  store.transactBuffered(() => table.put(Number(Buffer.from(record).toString()), true));
};

async function subjectsIn(stateDir: string, bootId: string): Promise<ReadonlySet<number>> {
  const store = Store.open({ stateDir, log: silentLog, bootId, redo });
  const found = new Set([...subjectsOf(store).range({})].map(({ key }) => key));
  await store.close();
  return found;
}

/** The subjects that are there after a power failure of this moment: nothing but what was flushed, and the log. */
const afterPowerFailure = (stateDir: string, flushed: string): Promise<ReadonlySet<number>> =>
  subjectsIn(copyAfterPowerFailure(stateDir, flushed), AFTER);

async function begunAhead(t: TestContext): Promise<{ stateDir: string; store: Store; table: Table<number, boolean> }> {
  const stateDir = makeStateDirectory(t);
  const store = openBefore(stateDir);
  t.after(() => store.close());
  const table = subjectsOf(store);
  await store.flush();
  assert.equal(store.reserveRecord(), 0);
  store.beginRecord(0, () => change(5));
  await store.recordsSettled();
  return { stateDir, store, table };
}

test('a commit that fails after it was announced refuses every change of every thread, and is made by the next start', async (t) => {
  const { stateDir, store, table } = await begunAhead(t);
  const fail = (): never => {
    throw new Error('as if the commit had failed');
  };
  const options = { record: () => change(5), ahead: 0, onDecided: fail };
  assert.throws(() => store.transactRecorded(() => table.put(5, true), options), { code: 'IO' });
  assert.throws(() => store.transactBuffered(() => table.put(1, true)), { code: 'IO' });
  assert.equal(table.get(5), undefined);
  assert.deepEqual(await subjectsIn(copyState(stateDir), BOOT_ID), new Set([5]));
});

test('an action that fails is no decision: its record is made void as it was asked for', async (t) => {
  const { stateDir, store, table } = await begunAhead(t);
  const flushed = copyState(stateDir);
  const fail = (): never => {
    throw new Error('broken');
  };
  const options = { record: () => change(5), ahead: 0, onDecided: () => assert.fail('it was decided') };
  assert.throws(() => store.transactRecorded(fail, options), { message: 'broken' });
  await store.voidRecord(0);
  store.transactBuffered(() => table.put(1, true));
  assert(!(await afterPowerFailure(stateDir, flushed)).has(5));
});

test('whoever takes the turn of the writer after a decision sees the commit', async (t) => {
  const { store, table } = await begunAhead(t);
  let decided = 0;
  store.transactRecorded(() => table.put(5, true), {
    record: () => assert.fail('it was begun ahead'),
    ahead: 0,
    onDecided: () => {
      decided += 1;
    },
  });
  store.awaitWriter();
  assert.deepEqual([decided, table.get(5)], [1, true]);
  store.transactBuffered(() => table.put(6, true));
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
      const staged = new Map<number, number | undefined>();
      const promised = new Set<number>();
      const refused = new Set<number>();
      let next = 0;
      for (const { kind, which, awaits } of steps) {
        // Mostly that whose record was begun.
        // Mostly the one that waits longest.
        const [subject, ahead] = [...staged][which % 3 === 0 ? which % Math.max(1, staged.size) : 0] ?? [];
        if (kind === 'expect') {
          next += 1;
          const begun = next;
          const place = store.reserveRecord();
          staged.set(begun, place);
          if (place !== undefined) store.beginRecord(place, () => change(begun));
          if (awaits) await store.recordsSettled();
        } else if (kind === 'expendable') store.transactExpendable(() => others.put(1, which));
        else if (kind === 'buffered') store.transactBuffered(() => others.put(2, which));
        else if (kind === 'flush') await store.flush();
        else if (subject !== undefined && kind === 'giveUp') {
          staged.delete(subject);
          if (ahead !== undefined) await store.voidRecord(ahead);
          refused.add(subject);
        } else if (subject !== undefined) {
          staged.delete(subject);
          let atDecision: string | undefined;
          const { durable } = store.transactRecorded(() => table.put(subject, true), {
            record: () => change(subject),
            ahead,
            onDecided: () => {
              atDecision = copyState(stateDir);
              promised.add(subject);
            },
          });
          if (ahead !== undefined) store.endRecord(ahead);
          if (awaits) {
            await durable;
            promised.add(subject);
          }
          if (atDecision !== undefined) {
            decisions += 1;
            assert((await afterPowerFailure(atDecision, flushed)).has(subject), 'durable when it was decided');
            assert((await subjectsIn(atDecision, BOOT_ID)).has(subject), 'and made by the next daemon');
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
