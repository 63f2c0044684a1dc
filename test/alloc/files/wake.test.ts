import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wake } from '../../../src/alloc/files/wake.ts';

const never = new AbortController().signal;

test('what happened before somebody waits is not lost, and counts once', async () => {
  const wake = new Wake();
  wake.call();
  wake.call();
  await wake.wait(never);
  let isOver = false;
  const second = wake.wait(never).then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  wake.call();
  await second;
});

test('a call, the end of the time or an abort ends the waiting', async () => {
  const wake = new Wake();
  setImmediate(wake.call);
  await wake.wait(never);
  await wake.wait(never, 1);
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  await wake.wait(controller.signal);
  await wake.wait(controller.signal);
});
