import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { incomingBody } from '../../src/server/incoming-body.ts';
import { collect } from './fake-operations.ts';
import { makeDirectory } from './serve-fake.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(context: TestContext, handle: Handle): Promise<ReturnType<typeof connect>> {
  const path = join(await makeDirectory(context), 'socket');
  const server = createServer(handle).listen(path);
  await once(server, 'listening');
  const socket = connect({ path });
  context.after(() => {
    socket.destroy();
    server.close();
  });
  return socket;
}

const HEAD = 'PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n';

test('a body is its bytes', async (context) => {
  let done: (text: string) => void = () => undefined;
  const text = new Promise<string>((resolve) => {
    done = resolve;
  });
  const socket = await serve(context, (request) => {
    void collect(incomingBody(request, 60_000)).then((bytes) => done(bytes.toString()));
  });
  socket.write(`${HEAD}01234`);
  socket.write('56789');
  assert.equal(await text, '0123456789');
});

for (const [what, end] of [
  ['is cut', (socket: ReturnType<typeof connect>) => socket.destroy()],
  ['falls silent', () => undefined],
] as const) {
  test(`a body whose connection ${what} is INTERRUPTED`, async (context) => {
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise((resolve) => {
      failed = resolve;
    });
    const socket = await serve(context, (request) => {
      collect(incomingBody(request, 200)).then(() => failed('it ended'), failed);
    });
    socket.write(`${HEAD}01234`, () => end(socket));
    assert.equal(((await failure) as { code?: string }).code, 'INTERRUPTED');
  });
}

test('a handler that gives up in the middle can still answer', async (context) => {
  const socket = await serve(context, (request, response) => {
    void (async () => {
      for await (const _ of incomingBody(request, 60_000)) break;
      response.end('enough');
    })();
  });
  socket.write(`${HEAD}01234`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 OK/);
});
