import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exampleStatus } from '../../server/fake-operations.ts';
import { makeDirectory, type ServedFake, serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

/** A served fake whose pid is a process that ends some time after the request to shut down was answered. */
async function serveEndingFake(context: TestContext): Promise<ServedFake & { readonly process: ChildProcess }> {
  const fake = await serveFake(context);
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume().on("end", () => setTimeout(() => {}, 200))'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  context.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  fake.operations.daemon = { ...exampleStatus(), pid: child.pid ?? 0 };
  const shutdown = fake.operations.shutdown.bind(fake.operations);
  fake.operations.shutdown = async (unmount) => {
    await shutdown(unmount);
    child.stdin?.end();
  };
  return { ...fake, process: child };
}

test('down returns when the tree is unmounted and the daemon has ended', async (context) => {
  const { socketPath, operations, process: daemon } = await serveEndingFake(context);
  const ran = await dunnage(['down', '--socket', socketPath]);
  assert.deepEqual(ran, {
    exitCode: 0,
    stdout: 'the daemon has ended and /run/dunnage/mnt is unmounted\n',
    stderr: '',
  });
  assert.notEqual(daemon.exitCode, null);
  assert.deepEqual(operations.calls.at(-1), { name: 'shutdown', arguments: [true] });
});

test('down --keep leaves the tree mounted', async (context) => {
  const { socketPath, operations } = await serveEndingFake(context);
  const ran = await dunnage(['down', '--keep', '--json', '--socket', socketPath]);
  assert.equal((JSON.parse(ran.stdout) as { outcome: string }).outcome, 'kept');
  assert.deepEqual(operations.calls.at(-1), { name: 'shutdown', arguments: [false] });
});

test('when nothing runs down says so and is content', async (context) => {
  const directory = await makeDirectory(context);
  for (const words of [
    ['--runtime-dir', directory],
    ['--socket', join(directory, 'dunnage.sock')],
    ['--keep', '--runtime-dir', directory],
  ]) {
    const ran = await dunnage(['down', ...words]);
    assert.deepEqual(ran, { exitCode: 0, stdout: 'nothing runs\n', stderr: '' });
  }
});
