import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { ControlClient } from '../../src/server/control-client.ts';
import { startControlServer } from '../../src/server/control-server.ts';
import { FakeOperations } from './fake-operations.ts';
import { makeDirectory, serveFake } from './serve-fake.ts';

const serve = (socketPath: string) =>
  startControlServer({ socketPath, operations: new FakeOperations(), log: silentLog });

test('the socket is for its owner only, and nothing else is left beside it', async (context) => {
  const { directory, socketPath } = await serveFake(context);
  const { mode } = await stat(socketPath);
  assert.equal(mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ['dunnage.sock']);
});

test('a second server on a served socket is refused and the first keeps serving', async (context) => {
  const { socketPath } = await serveFake(context);
  await assert.rejects(serve(socketPath), { code: 'ALREADY_RUNNING' });
  assert.equal((await new ControlClient(socketPath).status()).pid, 4711);
});

test('the socket of a process that died is taken over', async (context) => {
  const socketPath = join(await makeDirectory(context), 'dunnage.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  assert.ok((await lstat(socketPath)).isSocket(), 'the dead process left its socket');
  const server = await serve(socketPath);
  context.after(server.close);
  assert.equal((await new ControlClient(socketPath).status()).pid, 4711);
});

test('a file that is not a socket is never removed', async (context) => {
  const directory = await makeDirectory(context);
  const file = join(directory, 'file');
  const link = join(directory, 'link');
  await writeFile(file, 'precious');
  await symlink('nowhere', link);
  await assert.rejects(serve(file), { code: 'ALREADY_EXISTS' });
  await assert.rejects(serve(link), { code: 'ALREADY_EXISTS' });
  assert.deepEqual((await readdir(directory)).sort(), ['file', 'link']);
});

test('a socket path the kernel has no room for is refused instead of cut', async (context) => {
  const directory = await makeDirectory(context);
  await assert.rejects(serve(join(directory, 'x'.repeat(120))), { code: 'NAME_TOO_LONG' });
  assert.deepEqual(await readdir(directory), []);
});

test('a directory that is missing is an error of the caller', async (context) => {
  const directory = await makeDirectory(context);
  await assert.rejects(serve(join(directory, 'missing', 'dunnage.sock')), { code: 'NOT_FOUND' });
});

test('close removes the socket, is idempotent, and lets a running request finish', async (context) => {
  const { directory, socketPath, operations, close } = await serveFake(context);
  let open: () => void = () => undefined;
  operations.gate = new Promise((resolve) => {
    open = resolve;
  });
  const answer = new ControlClient(socketPath).status();
  await untilCalled(operations);
  const closed = Promise.all([close(), close()]);
  open();
  assert.equal((await answer).pid, 4711);
  await closed;
  assert.deepEqual(await readdir(directory), []);
  await assert.rejects(new ControlClient(socketPath).status(), { code: 'UNREACHABLE' });
});

test('close does not wait for a connection that says nothing', async (context) => {
  const { socketPath, close } = await serveFake(context);
  const idle = connect({ path: socketPath });
  await once(idle, 'connect');
  await Promise.all([close(), once(idle, 'close')]);
});

test('close leaves a socket that is not its own', async (context) => {
  const { directory, socketPath, close } = await serveFake(context);
  await rename(socketPath, join(directory, 'moved'));
  const other = await serve(socketPath);
  context.after(other.close);
  await close();
  assert.equal((await new ControlClient(socketPath).status()).pid, 4711);
});

test('a socket can be served again after close', async (context) => {
  const { socketPath, close } = await serveFake(context);
  await close();
  const again = await serve(socketPath);
  await again.close();
});

async function untilCalled(operations: FakeOperations): Promise<void> {
  while (operations.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
}
