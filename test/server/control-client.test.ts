import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { limits } from '../../src/base/limits.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/table.ts';
import { ControlClient } from '../../src/server/control-client.ts';
import { exampleConfigMap, exampleSecret, exampleStatus } from './fake-operations.ts';
import { makeDirectory, serveFake } from './serve-fake.ts';

test('every operation arrives with its arguments, and its answer comes back', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const client = new ControlClient(socketPath);
  operations.objects.push(exampleSecret(), exampleConfigMap());
  operations.applied = [
    { kind: 'Secret', namespace: 'default', name: 'db', directory: 'secret.db', action: 'configured', generation: 4 },
  ];
  assert.deepEqual(await client.status(), exampleStatus());
  assert.match(await client.metrics(), /^dunnage_swaps_total 3$/m);
  assert.deepEqual(await client.apply('kind: Secret # ü'), operations.applied);
  assert.deepEqual(
    (await client.listProjections(undefined)).map(({ name }) => name),
    ['db', 'web'],
  );
  assert.deepEqual(
    (await client.listProjections('ConfigMap')).map(({ name }) => name),
    ['web'],
  );
  assert.deepEqual(await client.getProjection('ConfigMap', 'prod', 'web'), exampleConfigMap());
  assert.equal((await client.getProjection('Secret', 'default', 'db')).paths[0]?.sha256, undefined);
  assert.equal(await client.deleteProjection('Secret', 'default', 'db'), undefined);
  assert.equal(await client.shutdown(true), undefined);
  assert.equal(await client.shutdown(false), undefined);
  assert.deepEqual(
    operations.calls.map(({ name, arguments: given }) => [name, ...given]),
    [
      ['status'],
      ['metrics'],
      ['apply', 'kind: Secret # ü'],
      ['listProjections', undefined],
      ['listProjections', 'ConfigMap'],
      ['getProjection', 'ConfigMap', 'prod', 'web'],
      ['getProjection', 'Secret', 'default', 'db'],
      ['getProjection', 'Secret', 'default', 'db'],
      ['shutdown', true],
      ['shutdown', false],
    ],
  );
});

test('a listing does not carry the files of its objects', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const [listed] = await new ControlClient(socketPath).listProjections(undefined);
  const { paths: _, ...summary } = exampleSecret();
  assert.deepEqual(listed, summary);
});

test('a status without a holder comes back without one', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.daemon = { ...exampleStatus(), holderPid: undefined };
  assert.equal((await new ControlClient(socketPath).status()).holderPid, undefined);
});

test('content is written byte for byte, with mode and owner, at every kind of path', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
  const files = new Map([
    ['a/b c', { data: everyByte, mode: 0o640, uid: 7, gid: 8 }],
    ['__proto__', { data: new Uint8Array(), mode: 0o400 }],
  ]);
  const result = await new ControlClient(socketPath).writeProjection('web', files);
  assert.deepEqual(result, {
    kind: 'Projection',
    namespace: 'default',
    name: 'web',
    directory: 'web',
    action: 'created',
    generation: 1,
  });
  const [call] = operations.calls;
  assert.equal(call?.arguments[0], 'web');
  const written = call?.arguments[1] as ReadonlyMap<
    string,
    { data: Uint8Array; mode: number; uid?: number; gid?: number }
  >;
  assert.deepEqual([...written.keys()], ['a/b c', '__proto__']);
  const first = written.get('a/b c');
  assert.deepEqual({ ...first, data: Uint8Array.from(first?.data ?? []) }, files.get('a/b c'));
});

test('names are one segment of the path, whatever they hold', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  for (const name of ['a/b', '..', 'a?b#c', '%2e%2e', 'ü', 'a b']) {
    await assert.rejects(new ControlClient(socketPath).getProjection('Secret', 'default', name), { code: 'NOT_FOUND' });
    assert.deepEqual(operations.calls.at(-1)?.arguments, ['Secret', 'default', name]);
  }
});

test('every error of the table crosses the wire with its code, message and remedy', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
    operations.failure = new DunnageError(code, `failed: ${code}`, { remedy: 'mend it' });
    const expected =
      code === 'INTERNAL'
        ? { name: 'DunnageError', code }
        : { name: 'DunnageError', code, message: `failed: ${code}`, remedy: 'mend it' };
    await assert.rejects(new ControlClient(socketPath).status(), expected);
  }
});

test('content larger than a request may be is refused before it is sent', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const tooMuch = 'x'.repeat(limits.manifestBytesMax + 1);
  await assert.rejects(new ControlClient(socketPath).apply(tooMuch), { code: 'TOO_LARGE' });
  assert.deepEqual(operations.calls, []);
});

test('no socket, or one that nobody serves, is UNREACHABLE and says how to start', async (context) => {
  const directory = await makeDirectory(context);
  const client = new ControlClient(join(directory, 'dunnage.sock'));
  await assert.rejects(client.status(), (error: unknown) => {
    assert.ok(error instanceof DunnageError);
    assert.equal(error.code, 'UNREACHABLE');
    assert.match(error.remedy ?? '', /dunnage up --detach/);
    return true;
  });
});

test('a socket path that is too long is refused, not cut to that of another socket', async (context) => {
  const directory = await makeDirectory(context);
  const cut = `${directory}/`.padEnd(limits.socketPathBytesMax, 's');
  const server = createServer((_request, response) => void response.end('{}'));
  await new Promise<void>((resolve) => server.listen(cut, resolve));
  context.after(() => void server.close());
  await assert.rejects(new ControlClient(`${cut}x`).status(), { code: 'NAME_TOO_LONG' });
});

test('a daemon that dies before it answers is UNREACHABLE', async (context) => {
  const socketPath = await serveRaw(context, (request) => request.socket.destroy());
  await assert.rejects(new ControlClient(socketPath).status(), { code: 'UNREACHABLE' });
});

test('a daemon that never answers is given up', async (context) => {
  const socketPath = await serveRaw(context, () => undefined);
  await assert.rejects(new ControlClient(socketPath, { silenceMsMax: 50 }).status(), { code: 'TIMED_OUT' });
});

test('an answer cut in the middle is UNREACHABLE, never half an answer', async (context) => {
  const socketPath = await serveRaw(context, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('[]', () => response.destroy());
  });
  await assert.rejects(new ControlClient(socketPath).listProjections(undefined), { code: 'UNREACHABLE' });
});

test('answers of something that is not dunnage are an error that says so', async (context) => {
  for (const [status, text] of [
    [200, '<html>'],
    [500, '<html>'],
    [404, '{"error":{"code":"toString","message":"x"}}'],
    [404, 'null'],
  ] as const) {
    const socketPath = await serveRaw(context, (_request, response) => response.writeHead(status).end(text));
    await assert.rejects(new ControlClient(socketPath).status(), { code: 'INTERNAL' });
  }
});

async function serveRaw(context: TestContext, listener: RequestListener): Promise<string> {
  const socketPath = join(await makeDirectory(context), 'raw.sock');
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return socketPath;
}
