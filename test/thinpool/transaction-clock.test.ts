import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransactionClock } from '../../src/thinpool/transaction-clock.ts';

function recorder(): { written: number[]; fail: boolean; setTransaction(transaction: number): Promise<void> } {
  return {
    written: [],
    fail: false,
    async setTransaction(transaction) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.fail) throw new RangeError('cannot');
      this.written.push(transaction);
    },
  };
}

test('numbers that come at the same time share a write, and never go back', async () => {
  const driver = recorder();
  const clock = new TransactionClock(driver, 3);
  await Promise.all([4, 6, 5, 3, 7].map((transaction) => clock.advance(transaction)));
  assert.ok(driver.written.length <= 2, driver.written.join());
  assert.deepEqual(driver.written, [...driver.written].sort());
  assert.equal(driver.written.at(-1), 7);
  await clock.advance(6);
  assert.equal(driver.written.at(-1), 7);
});

test('a write that fails is told to all who wait for it, and made up for by the next', async () => {
  const driver = recorder();
  const clock = new TransactionClock(driver, 0);
  driver.fail = true;
  const results = await Promise.allSettled([clock.advance(1), clock.advance(2)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  driver.fail = false;
  await clock.advance(1);
  assert.deepEqual(driver.written, [2]);
});
