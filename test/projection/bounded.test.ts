import assert from 'node:assert/strict';
import { it } from 'node:test';
import { forEachBounded } from '../../src/projection/bounded.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('runs every item, never more than the limit at a time, and does reach the limit', async () => {
  const done: number[] = [];
  let running = 0;
  let runningMax = 0;
  await forEachBounded(
    Array.from({ length: 20 }, (_, index) => index),
    4,
    async (item) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await turn();
      running -= 1;
      done.push(item);
    },
  );
  assert.equal(runningMax, 4);
  assert.equal(done.length, 20);
});

it('begins nothing after a failure, and throws the first when everything begun has ended', async () => {
  const begun: number[] = [];
  let ended = 0;
  const failing = forEachBounded([1, 2, 3, 4, 5, 6], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('first');
    await turn();
    ended += 1;
  });
  await assert.rejects(failing, { message: 'first' });
  assert.deepEqual(begun, [1, 2]);
  assert.equal(ended, 1);
});

it('does nothing for no items', () => forEachBounded([], 3, () => assert.fail('called')));
