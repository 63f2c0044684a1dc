import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { waitForHolders } from '../../src/alloc/wait-for-holders.ts';

test('it returns when one of the processes ends, or has ended', async (context) => {
  const [first, second] = [1, 2].map(() => spawn('sleep', ['1000'], { stdio: 'ignore' }));
  context.after(() => second?.kill('SIGKILL'));
  await Promise.all([once(first as never, 'spawn'), once(second as never, 'spawn')]);
  const holders = [first, second].map((child) => ({ pid: child?.pid as number, program: 'sleep', uses: [] }));
  const waiting = waitForHolders(holders, undefined);
  first?.kill('SIGKILL');
  await waiting;
  await once(first as never, 'close').catch(() => undefined);
});

test('a signal stops it', async () => {
  const holders = [{ pid: process.pid, program: 'node', uses: [] }];
  await assert.rejects(waitForHolders(holders, AbortSignal.abort()), { code: 'INTERRUPTED' });
  const controller = new AbortController();
  const waiting = waitForHolders(holders, controller.signal);
  controller.abort();
  await assert.rejects(waiting, { code: 'INTERRUPTED' });
});

test('who cannot be named is looked for again after a while', async () => {
  await waitForHolders([], undefined);
});
