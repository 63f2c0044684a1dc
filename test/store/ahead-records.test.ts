import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AHEAD_SLOTS } from '../../src/store/commit-log.ts';
import { TwoThreads } from './two-threads.ts';

test('what will not be made is void before anybody is told, also if it is still on its way', async (t) => {
  const threads = new TwoThreads(t);
  const base = threads.newest;
  const slot = threads.expect('7');
  let isVoid = false;
  const made = threads.ahead.void(slot).then(() => {
    isVoid = true;
  });
  threads.finish();
  await threads.waits();
  assert.deepEqual([threads.chainFrom(base), isVoid], [['7'], false]);
  threads.finish();
  await made;
  assert.deepEqual(threads.chainFrom(base), []);
  const neverBegun = threads.ahead.reserve();
  assert(neverBegun !== undefined);
  await threads.ahead.void(neverBegun);
  assert.equal(threads.waiting, 0);
});

test('what cannot be made void is said to be there still', async (t) => {
  const threads = new TwoThreads(t);
  const slot = threads.expect('7');
  threads.finish();
  const made = threads.ahead.void(slot);
  await threads.waits();
  threads.failWrite(new Error('EIO'));
  await assert.rejects(made, { message: 'failed' });
  assert.equal(threads.ahead.reserve(), slot + 1, 'its place is not used again');
});

test('a place is used again when a newer root has made its record void, and not before', async (t) => {
  const threads = new TwoThreads(t);
  for (let count = 0; count < AHEAD_SLOTS; count += 1) {
    const slot = threads.expect(String(count));
    threads.finish();
    threads.ahead.end(slot);
  }
  await nextTurn();
  assert.equal(threads.ahead.reserve(), undefined);
  threads.commit();
  threads.chain.noteDurable(threads.newest);
  const again = threads.ahead.reserve();
  assert.equal(again, 0);
  assert.equal(threads.serving.onDisk(0), undefined);
  assert.equal(threads.ahead.reserve(), 1);
  for (let count = 2; count < AHEAD_SLOTS; count += 1) assert.equal(threads.ahead.reserve(), count);
  assert.equal(threads.ahead.reserve(), undefined, 'all are in use');
  threads.ahead.end(7);
  await nextTurn();
  assert.equal(threads.ahead.reserve(), 7, 'one that takes long holds up no other');
});

test('where nobody knows what came before, nothing is begun', (t) => {
  const threads = new TwoThreads(t);
  threads.commit();
  threads.expect('7');
  assert.equal(threads.waiting, 0);
});

test('if it cannot be written nothing is decided', async (t) => {
  const threads = new TwoThreads(t);
  const slot = threads.expect('7');
  const broken = new Error('EIO');
  threads.failWrite(broken);
  await nextTurn();
  assert.equal(threads.serving.onDisk(slot), undefined);
  assert.deepEqual(threads.failures, [broken]);
});

test('at the end nothing is left that would be taken for a change that is still to be made', async (t) => {
  const threads = new TwoThreads(t);
  const slot = threads.expect('late');
  threads.ahead.end(slot);
  const closed = threads.ahead.close();
  threads.finish();
  await threads.waits();
  threads.finish();
  await closed;
  assert.deepEqual(threads.chainFrom(threads.newest), []);
});
