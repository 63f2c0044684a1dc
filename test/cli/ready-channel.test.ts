import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { READY_CHANNEL_ENVIRONMENT, waitUntilLive } from '../../src/cli/ready-channel.ts';

/** A child that opens the channel, runs the code with `channel`, and ends when its input does. */
function start(
  context: TestContext,
  code: string,
  environment: Readonly<Record<string, string>> = READY_CHANNEL_ENVIRONMENT,
): ChildProcess {
  const module = new URL('../../src/cli/ready-channel.js', import.meta.url).href;
  const errors = new URL('../../src/errors/dunnage-error.js', import.meta.url).href;
  const script = `import { openReadyChannel } from '${module}'; import { DunnageError } from '${errors}';
    const channel = openReadyChannel(); ${code}`;
  const words = ['--input-type=module', '-e', script];
  const child = spawn(process.execPath, words, {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  });
  context.after(() => child.kill('SIGKILL'));
  return child;
}

test('the command goes on when the child is live, and the child when the command is gone', async (context) => {
  const child = start(context, 'await channel.live(); await channel.live(); process.stdin.resume();');
  await waitUntilLive(child, 'log');
  await once(child, 'disconnect');
  assert.equal(child.exitCode, null);
  child.stdin?.end();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('the error of the child is the error of the command', async (context) => {
  const child = start(
    context,
    `await channel.failed(new DunnageError('NOT_EMPTY', 'not empty', { remedy: 'empty it' })); process.exitCode = 5;`,
  );
  await assert.rejects(waitUntilLive(child, 'log'), {
    name: 'DunnageError',
    code: 'NOT_EMPTY',
    message: 'not empty',
    remedy: 'empty it',
  });
});

test('a child that dies without a word is an error that names its log', async (context) => {
  await assert.rejects(waitUntilLive(start(context, 'process.exit(7);'), '/x/log'), {
    code: 'INTERNAL',
    message: /exit code 7/,
    remedy: /\/x\/log/,
  });
  await assert.rejects(waitUntilLive(start(context, `process.kill(process.pid, 'SIGKILL');`), '/x/log'), {
    message: /by SIGKILL/,
  });
});

test('a command that is gone does not disturb the child', async (context) => {
  const child = start(
    context,
    `const goOn = async () => { await channel.live(); process.exit(3); };
    if (process.connected) process.once('disconnect', goOn); else await goOn();`,
  );
  child.disconnect();
  assert.deepEqual(await once(child, 'exit'), [3, null]);
});

test('without the mark there is no channel, and the mark is not handed on', async (context) => {
  const unmarked = start(context, 'process.exit(channel === undefined ? 4 : 0);', {});
  assert.deepEqual(await once(unmarked, 'exit'), [4, null]);
  const marked = start(
    context,
    `process.exit(Object.keys(process.env).some((name) => name.startsWith('DUNNAGE_READY')) ? 0 : 4);`,
  );
  assert.deepEqual(await once(marked, 'exit'), [4, null]);
});
