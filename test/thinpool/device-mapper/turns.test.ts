import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../../src/thinpool/device-mapper/turns.ts';

test('no more run at the same time than may, in the order they came, and a failure lets the next one in', async () => {
  const turns = new Turns(2);
  const started: number[] = [];
  let running = 0;
  const results = await Promise.allSettled(
    [0, 1, 2, 3, 4].map((index) =>
      turns.run(async () => {
        started.push(index);
        running += 1;
        assert.ok(running <= 2);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        if (index === 0) throw new RangeError('mine');
        return index;
      }),
    ),
  );
  assert.deepEqual(started, [0, 1, 2, 3, 4]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', ...Array.from({ length: 4 }, () => 'fulfilled')],
  );
});
