import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serveFake } from '../../server/serve-fake.ts';

test('a result that cannot be written is an error like any other', async (context) => {
  const { socketPath } = await serveFake(context);
  const full = openSync('/dev/full', 'w');
  context.after(() => closeSync(full));
  const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'status', '--socket', socketPath], { stdio: ['ignore', full, 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [exitCode] = (await once(child, 'close')) as [number];
  assert.deepEqual(
    [exitCode, stderr],
    [7, 'dunnage: cannot write to standard output: ENOSPC: no space left on device, write\n'],
  );
});

test('the exit code is right also when errors cannot be written', async (context) => {
  const full = openSync('/dev/full', 'w');
  context.after(() => closeSync(full));
  const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'stauts'], { stdio: ['ignore', full, full] });
  assert.deepEqual(await once(child, 'close'), [2, null]);
});
