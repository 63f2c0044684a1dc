import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';

test('systemClock.nowMs is the wall clock in milliseconds', () => {
  const before = Date.now();
  const now = systemClock.nowMs();
  assert.ok(before <= now && now <= Date.now(), `${now} is not the time`);
});

test('systemClock.monotonicMs goes on with the time that passes, and never back', async () => {
  const before = systemClock.monotonicMs();
  const startedNs = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const passedMs = systemClock.monotonicMs() - before;
  const passedMsMax = Number(process.hrtime.bigint() - startedNs) / 1e6 + 1;
  assert.ok(passedMs >= 15 && passedMs <= passedMsMax, `${passedMs} of at most ${passedMsMax}`);
});
