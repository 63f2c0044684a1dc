import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesValue, numberKey, stringKey } from '../../../src/store/codecs.ts';
import { NodeIdCounter } from '../../../src/store/node-id-counter.ts';
import { DamagedCatalog } from './damaged-catalog.ts';

for (const wrong of ['5', 'null', '"many"', undefined]) {
  test(`a counter of node ids that is ${wrong ?? 'missing'} goes on above every id in use`, async (t) => {
    const made = await DamagedCatalog.make(t);
    const raw = made.store.table('counters', stringKey, bytesValue);
    const before = Number(Buffer.from(raw.get('next-node-id') as Uint8Array).toString());
    made.change(() => {
      if (wrong === undefined) raw.remove('next-node-id');
      else raw.put('next-node-id', Buffer.from(wrong));
    });
    await made.mends(['node-counter-wrong']);
    const counter = new NodeIdCounter(made.store);
    const next = made.store.transactBuffered(() => counter.reserve(1));
    assert.ok(next >= before, `${next} may be in use by a daemon that runs`);
  });
}

test('ids of the live view are in use as well', async (t) => {
  const made = await DamagedCatalog.make(t);
  const before = made.store.transactBuffered(() => new NodeIdCounter(made.store).reserve(1));
  made.change(() => {
    made.store.table('live-nodes', numberKey, bytesValue).put(before + 40, Buffer.from('[2,2,"d","a",true]'));
  });
  await made.mends(['node-counter-wrong']);
  const next = made.store.transactBuffered(() => new NodeIdCounter(made.store).reserve(1));
  assert.ok(next > before + 40, `${next}`);
});
