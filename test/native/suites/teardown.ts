/** The end of a worker or of the process, whatever the channel is doing: no crash, no hang, nothing left. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MODULE = new URL('../helpers/teardown-stage.js', import.meta.url);
const TIMEOUT_MS = 20_000;
const STAGES = [
  'created',
  'started',
  'started in this very turn',
  'notified',
  'waiting for the notifier',
  'drained',
  'ended',
  'in onRequest',
  'closing in onRequest',
  'in onEnd',
  'closing',
  'closed',
  'watching',
  'mapped',
];

const threadCount = (): number => readdirSync('/proc/self/task').length;

async function terminateAt(stage: string): Promise<void> {
  const worker = new Worker(MODULE, { workerData: stage });
  const [message] = await once(worker, 'message');
  assert.equal(message, 'there');
  assert.equal(await worker.terminate(), 1);
}

async function exitAt(stage: string): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const child = spawn(process.execPath, [fileURLToPath(MODULE), stage], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => child.kill('SIGABRT'), TIMEOUT_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  return { code, signal, stderr };
}

for (const stage of STAGES) {
  test(`a worker can be terminated: ${stage}`, { timeout: TIMEOUT_MS }, async () => {
    await terminateAt(stage);
  });

  test(`a process can exit: ${stage}`, async () => {
    assert.deepEqual(await exitAt(stage), { code: 0, signal: null, stderr: '' });
  });
}

test('a channel that was never started does not keep a process alive', async () => {
  assert.deepEqual(await exitAt('left alone'), { code: 0, signal: null, stderr: '' });
});

test('an exception in onRequest is an uncaught exception: it ends the process with its stack', async () => {
  const { code, stderr } = await exitAt('throwing in onRequest');
  assert.equal(code, 1);
  assert.match(stderr, /Error: thrown in onRequest/);
});

test('an exception in onRequest ends a worker with an error event', { timeout: TIMEOUT_MS }, async () => {
  const worker = new Worker(MODULE, { workerData: 'throwing in onRequest' });
  const [error] = (await once(worker, 'error')) as [Error];
  assert.equal(error.message, 'thrown in onRequest');
});

test('workers that come and go leave no thread behind', { timeout: TIMEOUT_MS }, async () => {
  await terminateAt('drained');
  const before = threadCount();
  for (let round = 0; round < 5; round++) await terminateAt('drained');
  assert.equal(threadCount(), before);
});
