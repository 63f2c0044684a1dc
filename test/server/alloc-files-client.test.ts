import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { AllocFilesClient } from '../../src/server/alloc-files-client.ts';
import { type ControlServer, startControlServer } from '../../src/server/control-server.ts';
import { AllocScene } from '../alloc/files/helpers/alloc-scene.ts';
import { FakeOperations } from './fake-operations.ts';

let scene: AllocScene;
let server: ControlServer;
let client: AllocFilesClient;

beforeEach(async () => {
  scene = new AllocScene();
  const socketPath = `${scene.folder}/s`;
  const found = { files: scene.files, isStarted: () => true };
  const allocFiles = { find: (allocId: string) => (allocId === 'a/1 ?' ? found : undefined) };
  server = await startControlServer({ socketPath, operations: new FakeOperations(), allocFiles, log: silentLog });
  client = new AllocFilesClient(socketPath);
});
afterEach(async () => {
  await server.close();
  await scene.close();
});

const ID = 'a/1 ?';

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

test('files are listed, told of and read, whatever their names are', async () => {
  scene.write('web/local/a&b=c #?+%', '0123456789');
  const path = 'web/local/a&b=c #?+%';
  assert.deepEqual(
    (await client.list(ID, 'web/local')).map(({ Name }) => Name),
    ['a&b=c #?+%'],
  );
  assert.equal((await client.stat(ID, path)).Size, 10);
  assert.equal(await textOf(client.read(ID, path)), '0123456789');
  assert.equal(await textOf(client.read(ID, path, 2, 3)), '234');
});

test('errors are those of the daemon, with code and remedy', async () => {
  await assert.rejects(client.stat(ID, 'nothing'), {
    code: 'NOT_FOUND',
    message: 'no such file or directory: nothing',
  });
  await assert.rejects(client.list('a2', '/'), { code: 'NOT_FOUND', remedy: /alloc list/ });
  await assert.rejects(textOf(client.read(ID, 'web')), { code: 'IS_A_DIRECTORY' });
  await assert.rejects(client.stream(ID, 'nothing', {}).next(), { code: 'NOT_FOUND' });
  await assert.rejects(new AllocFilesClient(`${scene.folder}/none`).list(ID, '/'), { code: 'UNREACHABLE' });
  await assert.rejects(textOf(new AllocFilesClient(`${scene.folder}/none`).read(ID, '/')), { code: 'UNREACHABLE' });
});

test('frames come one by one with a token, until the signal ends them', async () => {
  scene.write('alloc/logs/web.stdout.0', '"}{"');
  const controller = new AbortController();
  const frames = client.logs(ID, 'web', 'stdout', { follow: true, signal: controller.signal });
  const first = (await frames.next()).value;
  assert.deepEqual([first?.data?.toString(), first?.offset], ['"}{"', 4]);
  controller.abort();
  assert.equal((await frames.next()).done, true);
  scene.append('alloc/logs/web.stdout.0', 'more');
  let text = '';
  const rest = client.logs(ID, 'web', 'stdout', { resume: first?.token });
  for await (const { data } of rest) text += data?.toString() ?? '';
  assert.equal(text, 'more');
  const stream = client.stream(ID, 'alloc/logs/web.stdout.0', { origin: 'end', offset: 2 });
  assert.equal((await stream.next()).value?.data?.toString(), 're');
});
