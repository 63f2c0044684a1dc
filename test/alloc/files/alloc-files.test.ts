import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { AllocFiles } from '../../../src/alloc/files/alloc-files.ts';
import { AllocScene } from './helpers/alloc-scene.ts';

let scene: AllocScene;
let files: AllocFiles;
beforeEach(() => {
  scene = new AllocScene();
  files = scene.files;
});
afterEach(() => scene.close());

const ESCAPES = { code: 'INVALID_PATH', message: 'Path escapes the alloc directory' };

async function read(path: string, offset: number, limitBytes?: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await files.readAt(path, offset, limitBytes)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test('a listing is sorted by name; a link is told as a link', async () => {
  scene.write('web/local/b', 'four');
  scene.write('web/local/a/x', '');
  scene.link('web/local/C', 'b');
  chmodSync(scene.path('web/local/b'), 0o640);
  chmodSync(scene.path('web/local/a'), 0o755);
  const entries = await files.list('web/local');
  assert.deepEqual(
    entries.map(({ name, isDir, fileMode }) => [name, isDir, fileMode]),
    [
      ['C', false, 'Lrwxrwxrwx'],
      ['a', true, 'drwxr-xr-x'],
      ['b', false, '-rw-r-----'],
    ],
  );
  assert.equal(entries[2]?.sizeBytes, 4);
  assert.equal(entries[2]?.contentType, undefined);
  assert.deepEqual(
    (await files.list('/')).map(({ name }) => name),
    ['alloc', 'db', 'web'],
  );
});

test('long directories come in pieces, none missing; a name that is not UTF-8 too', async () => {
  for (let count = 0; count < 300; count += 1) scene.write(`alloc/data/${String(count).padStart(3, '0')}`, '');
  writeFileSync(Buffer.concat([Buffer.from(scene.path('alloc/data/')), Buffer.of(0xff)]), 'latin');
  let pieces = 0;
  const names: string[] = [];
  for await (const piece of files.listing('alloc/data')) {
    pieces += 1;
    names.push(...piece.map(({ name }) => name));
  }
  assert.ok(pieces > 1);
  assert.equal(names.length, 301);
  assert.equal(names[299], '299');
  assert.equal(names[300], '\ufffd');
});

test('stat follows links and tells the content type', async () => {
  scene.write('alloc/data/page', '<html>');
  scene.link('web/local/page', '../../alloc/data/page');
  const info = await files.stat('web/local/page');
  assert.deepEqual(
    [info.name, info.isDir, info.sizeBytes, info.contentType],
    ['page', false, 6, 'text/html; charset=utf-8'],
  );
  const directory = await files.stat('/');
  assert.deepEqual([directory.name, directory.isDir, directory.contentType], ['a1', true, 'application/octet-stream']);
});

test('a file is read from an offset, with and without a limit', async () => {
  scene.write('web/local/file', '0123456789');
  assert.equal(await read('web/local/file', 0), '0123456789');
  assert.equal(await read('/web/local/file', 1, 3), '123');
  assert.equal(await read('web/local/file', 8, 100), '89');
  assert.equal(await read('web/local/file', 3, 0), '');
  assert.equal(await read('web/local/file', 20), '');
  assert.equal(await read('web/local/file', Number.MAX_SAFE_INTEGER, 5), '');
});

test('what is not there or is no file is said plainly', async () => {
  scene.write('web/local/file', 'x');
  const missing = { code: 'NOT_FOUND', message: 'no such file or directory: web/nothing' };
  await assert.rejects(files.list('web/nothing'), missing);
  await assert.rejects(files.stat('web/nothing'), missing);
  await assert.rejects(files.readAt('web/nothing', 0), missing);
  await assert.rejects(files.list('web/local/file'), { code: 'NOT_A_DIRECTORY' });
  await assert.rejects(files.readAt('web/local', 0), {
    code: 'IS_A_DIRECTORY',
    message: 'file "web/local" is a directory',
  });
});

test('[S171] a fifo, a socket and a device are told of and never opened', async (context) => {
  execFileSync('mkfifo', [scene.path('web/local/fifo')]);
  const server = createServer().listen(scene.path('web/local/socket'));
  context.after(() => server.close());
  const kinds = ['fifo', 'socket'];
  if (process.getuid?.() === 0) {
    execFileSync('mknod', [scene.path('web/local/device'), 'c', '5', '0']);
    kinds.push('device');
  }
  for (const kind of kinds) {
    const path = `web/local/${kind}`;
    assert.match((await files.stat(path)).fileMode, /^(?:p|S|Dc)/);
    const refused = { code: 'INVALID_ARGUMENT', message: `file "${path}" is a ${kind}, which is not read` };
    await assert.rejects(files.readAt(path, 0), refused);
    await assert.rejects(files.follow(path, { follow: true, signal: scene.signal }).next(), refused);
  }
});

test('[S172] a path that leads out is refused by every call', async () => {
  scene.link('web/local/out', '../../../outside');
  scene.link('web/local/tmp', '/tmp');
  for (const path of ['..', '../foo', 'web/local/out', 'web/local/out/canary', 'web/local/tmp/x']) {
    await assert.rejects(files.list(path), ESCAPES);
    await assert.rejects(files.stat(path), ESCAPES);
    await assert.rejects(files.readAt(path, 0), ESCAPES);
    await assert.rejects(files.blockUntilExists(path, scene.signal), ESCAPES);
    await assert.rejects(files.changeEvents(path, 0, scene.signal).next(), ESCAPES);
    await assert.rejects(files.follow(path, { follow: true, signal: scene.signal }).next(), ESCAPES);
  }
});

describe('blockUntilExists', () => {
  test('returns at once for what exists', () => files.blockUntilExists('web/local', scene.signal));

  test('waits for a file in directories that do not exist either, and for the target of a link', async () => {
    const waiting = files.blockUntilExists('web/local/a/b/file', scene.signal);
    scene.directory('web/local/a');
    scene.link('web/local/a/b', '../../tmp/target');
    mkdirSync(scene.path('web/tmp/target.new'));
    scene.write('web/tmp/target.new/file', '');
    renameSync(scene.path('web/tmp/target.new'), scene.path('web/tmp/target'));
    await waiting;
  });

  test('fails when the path turns out to lead out, and when it is cancelled', async () => {
    const waiting = files.blockUntilExists('web/local/x/file', scene.signal);
    scene.link('web/local/x', '/tmp');
    await assert.rejects(waiting, ESCAPES);
    const controller = new AbortController();
    const cancelled = files.blockUntilExists('web/nothing', controller.signal);
    controller.abort();
    await assert.rejects(cancelled, { name: 'AbortError' });
    assert.equal(scene.inotify.isIdle, true);
  });
});

test('changes are told: modified, truncated, deleted', async () => {
  scene.write('web/local/file', '0123456789');
  const events = files.changeEvents('web/local/file', 10, scene.signal);
  const first = events.next();
  scene.append('web/local/file', 'more');
  assert.equal((await first).value, 'modified');
  const second = events.next();
  scene.write('web/local/file', 'short');
  const seen = [(await second).value];
  rmSync(scene.path('web/local/file'));
  for await (const event of events) seen.push(event);
  assert.equal(seen[0], 'truncated');
  assert.equal(seen.at(-1), 'deleted');
});

test('the stable name is the newest log, unless somebody has a file of that name', async () => {
  scene.write('alloc/logs/web.stdout.9', 'nine');
  scene.write('alloc/logs/web.stdout.10', 'ten!!');
  assert.equal(await read('alloc/logs/web.stdout', 0), 'ten!!');
  assert.equal((await files.stat('alloc/logs/web.stdout')).sizeBytes, 5);
  scene.link('alloc/logs/web.stdout', 'web.stdout.9');
  assert.equal(await read('alloc/logs/web.stdout', 0), 'ten!!');
  scene.write('alloc/logs/db.stderr', 'own');
  assert.equal(await read('alloc/logs/db.stderr', 0), 'own');
  await assert.rejects(files.readAt('alloc/logs/db.stdout', 0), { code: 'NOT_FOUND' });
});

test('nothing stays open after a call, whatever became of it', async () => {
  scene.write('web/local/file', 'x');
  const before = readdirSync('/proc/self/fd').length;
  await files.list('web/local');
  await files.stat('web/local/file');
  await read('web/local/file', 0);
  (await files.readAt('web/local/file', 0)).destroy();
  await assert.rejects(files.readAt('web/local', 0));
  for await (const _ of files.listing('web/local')) break;
  for await (const _ of files.follow('web/local/file', { follow: true, signal: scene.signal })) break;
  // A destroyed stream closes in the next turns of the event loop.
  await files.list('web/local');
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});
