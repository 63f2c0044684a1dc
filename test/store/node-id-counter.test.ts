import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeIdCounter } from '../../src/store/node-id-counter.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

test('ids begin at 2, come in runs, and go on after the store was opened again', async (t) => {
  const stateDir = makeStateDirectory(t);
  const first = openStore(t, stateDir);
  const counter = new NodeIdCounter(first);
  assert.equal(
    first.transactBuffered(() => counter.reserve(1)),
    2,
  );
  assert.equal(
    first.transactBuffered(() => counter.reserve(10)),
    3,
  );
  await first.close();
  const second = openStore(t, stateDir);
  const again = new NodeIdCounter(second);
  assert.equal(
    second.transactBuffered(() => again.reserve(1)),
    13,
  );
});

test('an abandoned transaction takes its ids back, and reserve outside of one is refused', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const counter = new NodeIdCounter(store);
  assert.throws(() =>
    store.transactBuffered(() => {
      counter.reserve(5);
      throw new Error('abandon');
    }),
  );
  assert.equal(
    store.transactBuffered(() => counter.reserve(1)),
    2,
  );
  assert.throws(() => counter.reserve(1), /needs a transaction/);
  assert.throws(() => store.transactBuffered(() => counter.reserve(0)), /at least one/);
});
