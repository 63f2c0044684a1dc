import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeviceLocks } from '../../src/thinpool/device-locks.ts';

test('one at a time for each device, side by side for different ones, without a deadlock', async () => {
  const locks = new DeviceLocks();
  const held = new Set<string>();
  let most = 0;
  const task = (names: readonly string[]) => async (): Promise<void> => {
    for (const name of names) {
      assert.ok(!held.has(name), `${name} is held twice`);
      held.add(name);
    }
    most = Math.max(most, held.size);
    await new Promise((resolve) => setImmediate(resolve));
    for (const name of names) held.delete(name);
  };
  const wishes = [['a', 'b'], ['b', 'a'], ['c'], ['b', 'c'], ['c', 'b'], ['a'], ['a', 'a'], ['c', 'a']];
  const all = Promise.all(wishes.map((names) => locks.run(names, task([...new Set(names)]))));
  await locks.ended();
  assert.equal(held.size, 0);
  await all;
  assert.ok(most >= 2);
});

test('a task that fails lets go, and its error is its own', async () => {
  const locks = new DeviceLocks();
  const failing = locks.run(['a', 'b'], async () => {
    throw new RangeError('mine');
  });
  await assert.rejects(failing, RangeError);
  assert.equal(await locks.run(['b', 'a'], async () => 5), 5);
  await locks.ended();
});
