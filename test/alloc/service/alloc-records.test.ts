import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AllocRecord, AllocRecords } from '../../../src/alloc/service/alloc-records.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Store } from '../../../src/store/store.ts';
import { makeStateDirectory } from '../../store/state-directory.ts';

const record = (id: string, more: Partial<AllocRecord> = {}): AllocRecord => ({
  ...{ spec: { id, tasks: [] }, createdAtMs: 1, state: 'creating' },
  ...more,
});

test('records outlive the store, and are listed by id', async (t) => {
  const stateDir = makeStateDirectory(t);
  const first = Store.open({ stateDir, log: silentLog });
  const records = new AllocRecords(first);
  await records.create(record('b'));
  await records.create(record('a', { building: { shared: true, tasks: ['web'] } }));
  await records.transition(record('b', { state: 'ready' }));
  await first.close();
  const second = Store.open({ stateDir, log: silentLog });
  t.after(() => second.close());
  const again = new AllocRecords(second);
  assert.deepEqual(
    again.list().map(({ spec, state }) => [spec.id, state]),
    [
      ['a', 'creating'],
      ['b', 'ready'],
    ],
  );
  assert.deepEqual(again.get('a')?.building, { shared: true, tasks: ['web'] });
  await again.remove('a');
  assert.equal(again.get('a'), undefined);
  assert.equal(again.count, 1);
});

test('only what the table of states allows is recorded: nothing comes back from being deleted', async (t) => {
  const store = Store.open({ stateDir: makeStateDirectory(t), log: silentLog });
  t.after(() => store.close());
  const records = new AllocRecords(store);
  await assert.rejects(records.transition(record('x')), /undefined does not become creating/);
  await records.create(record('x'));
  await records.transition(record('x', { state: 'deleting' }));
  for (const state of ['creating', 'ready', 'broken', 'moving', 'restoring'] as const) {
    await assert.rejects(records.transition(record('x', { state })), /deleting does not become/);
  }
});

test('a row that is no record of an alloc is left out, and is damage for who asks for it', async (t) => {
  const store = Store.open({ stateDir: makeStateDirectory(t), log: silentLog });
  t.after(() => store.close());
  const records = new AllocRecords(store);
  await records.create(record('good'));
  await records.create({ ...record('bad'), state: 'flying' as never });
  assert.deepEqual(
    records.list().map(({ spec }) => spec.id),
    ['good'],
  );
  assert.throws(() => records.get('bad'), { code: 'CORRUPT' });
});
