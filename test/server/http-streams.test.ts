import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ControlClient } from '../../src/server/control-client.ts';
import { collect, only } from './fake-operations.ts';
import { ask } from './raw-request.ts';
import { makeDirectory, serveFake } from './serve-fake.ts';

const LARGE = randomBytes(5_000_000);
const STREAM_TYPE = { 'content-type': 'application/octet-stream' };

test('a file goes up and comes down byte for byte, under any path', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const client = new ControlClient(socketPath);
  const paths = [
    'a',
    'dir/b c',
    'ü/%2F',
    '100%',
    'q?x=1#y',
    'a+b',
    '.hidden',
    'x'.repeat(255),
    `${'y/'.repeat(2000)}z`,
  ];
  for (const path of paths) {
    await client.writeFile('web', { path, mode: 0o640, uid: 1, gid: 2, content: only(LARGE.subarray(0, path.length)) });
    assert.deepEqual(operations.calls.at(-1)?.arguments, ['web', { path, mode: 0o640, uid: 1, gid: 2 }]);
    const { sizeBytes, content } = await client.readFile('web', path);
    assert.equal(sizeBytes, path.length);
    assert.ok((await collect(content)).equals(LARGE.subarray(0, path.length)));
    await client.removeFile('web', path);
    await assert.rejects(client.readFile('web', path), { code: 'NOT_FOUND' });
  }
  await client.writeFile('web', { path: 'large', content: only(LARGE) });
  assert.deepEqual(operations.calls.at(-1)?.arguments, ['web', { path: 'large' }]);
  assert.ok((await collect((await client.readFile('web', 'large')).content)).equals(LARGE));
});

test('several files go up in one request', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const files = only(
    { path: 'a', sizeBytes: LARGE.length, mode: 0o400, content: only(LARGE) },
    { path: 'b', sizeBytes: 0, content: only<Uint8Array>() },
  );
  assert.equal((await new ControlClient(socketPath).writeFiles('web', files)).action, 'configured');
  assert.deepEqual(operations.calls[0]?.arguments[1], [
    { path: 'a', sizeBytes: LARGE.length, mode: 0o400 },
    { path: 'b', sizeBytes: 0 },
  ]);
  assert.ok(operations.contents.get('a')?.equals(LARGE));
});

test('a daemon that refuses in the middle is heard, and asked for nothing more', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.failure = new DunnageError('NO_SPACE', 'the disk is full');
  let sentBytes = 0;
  let isClosed = false;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        sentBytes += LARGE.length;
        yield LARGE;
      }
    } finally {
      isClosed = true;
    }
  };
  await assert.rejects(new ControlClient(socketPath).writeFile('web', { path: 'a', content: endless() }), {
    code: 'NO_SPACE',
  });
  assert.ok(sentBytes > 0);
  await new Promise(setImmediate);
  assert.ok(isClosed);
});

test('a source that fails is the error of the call, and the daemon hears that the upload is no more', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const heard = new Promise<unknown>((resolve) => {
    operations.writeFile = async (_name, { content }) => {
      await collect(content).then(() => resolve('it ended'), resolve);
      throw new DunnageError('INTERRUPTED', 'x');
    };
  });
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield LARGE;
    throw new RangeError('the source is gone');
  };
  await assert.rejects(new ControlClient(socketPath).writeFile('web', { path: 'a', content: failing() }), RangeError);
  assert.equal(((await heard) as { code?: string }).code, 'INTERRUPTED');
});

test('an upload that takes longer than a request may is no late request as long as something moves', async (context) => {
  const { socketPath, operations } = await serveFake(context, { requestTimeoutMs: 400 });
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    for (let chunk = 0; chunk < 12; chunk += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      yield Buffer.from('x');
    }
  };
  await new ControlClient(socketPath).writeFile('web', { path: 'a', content: slow() });
  assert.equal(operations.contents.get('a')?.toString(), 'x'.repeat(12));
});

test('without a daemon both ways say so', async (context) => {
  const client = new ControlClient(join(await makeDirectory(context), 'none.sock'));
  await assert.rejects(client.writeFile('web', { path: 'a', content: only(LARGE) }), { code: 'UNREACHABLE' });
  await assert.rejects(client.readFile('web', 'a'), { code: 'UNREACHABLE' });
});

const refused: readonly (readonly [what: string, method: string, path: string, message: RegExp])[] = [
  ['a mode in decimal', 'PUT', '/v1/projections/web/files/a?mode=0888', /mode/],
  ['a special mode', 'PUT', '/v1/projections/web/files/a?mode=4755', /mode/],
  ['an owner by name', 'PUT', '/v1/projections/web/files/a?uid=root', /uid/],
  ['an unknown setting', 'PUT', '/v1/projections/web/files/a?owner=1', /unknown field "owner"/],
  ['a path that is no URL', 'PUT', '/v1/projections/web/files/%zz', /not a valid URL path/],
  ['no path', 'PUT', '/v1/projections/web/files/', /\*/],
];
for (const [what, method, path, message] of refused) {
  test(`refused: ${what}`, async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const answer = await ask(socketPath, { method, path, headers: STREAM_TYPE, body: 'x' });
    assert.equal(answer.status, 400, answer.text);
    assert.match((answer.body as { error: { message: string } }).error.message, message);
    assert.deepEqual(operations.calls, []);
  });
}

test('an object of a namespace called files is not taken for a file', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  await assert.rejects(new ControlClient(socketPath).getProjection('Secret', 'files', 'db'), { code: 'NOT_FOUND' });
  assert.deepEqual(operations.calls[0]?.arguments, ['Secret', 'files', 'db']);
});
