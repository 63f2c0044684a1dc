import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turnstile } from '../../src/base/turnstile.ts';

test('Turnstile lets so many in at a time, in their order, also after one that fails', async () => {
  const turnstile = new Turnstile(2);
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const runs = [0, 1, 2, 3].map((index) =>
    turnstile.run(async () => {
      started.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 0) throw new Error('failed');
    }),
  );
  const outcomes = Promise.allSettled(runs);
  assert.deepEqual(started, [0, 1]);
  ends[0]?.();
  await assert.rejects(runs[0] as Promise<void>);
  assert.deepEqual(started, [0, 1, 2]);
  ends[1]?.();
  await runs[1];
  assert.deepEqual(started, [0, 1, 2, 3]);
  ends[2]?.();
  ends[3]?.();
  assert.deepEqual(
    (await outcomes).map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
});
