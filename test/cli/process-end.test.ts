import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { waitForEnd } from '../../src/cli/process-end.ts';

test('it waits until the process is gone, and not longer than it may', async (context) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  context.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  assert.equal(await waitForEnd(child.pid ?? 0, 50), false);
  child.stdin.end();
  assert.equal(await waitForEnd(child.pid ?? 0, 20_000), true);
});

test('a zombie has ended', async (context) => {
  // The shell starts a child, becomes a program that never collects it, and says the pid of the child.
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  context.after(() => parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  assert.equal(await waitForEnd(Number(line.toString()), 20_000), true);
});
