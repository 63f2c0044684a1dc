/** The file API of a real daemon: tasks write through the tree, people look from outside, daemons die in between. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AllocFilesClient } from '../../src/server/alloc-files-client.ts';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { compiledRoot } from '../tools/repository.ts';
import { until } from '../tools/until.ts';
import { allocManifest, inAlloc } from './helpers/alloc-daemon.ts';

const run = promisify(execFile);
const WRITER = fileURLToPath(new URL('./programs/rotating-writer.js', import.meta.url));

describe('the file API of a daemon', { skip: process.getuid?.() === 0 ? false : 'allocs need root' }, () => {
  let daemon: DaemonProcess;
  let client: AllocFilesClient;
  const children: ChildProcessWithoutNullStreams[] = [];

  before(async () => {
    daemon = await DaemonProcess.start(tmpdir());
    client = new AllocFilesClient(join(daemon.runtimeDir, 'dunnage.sock'));
    await daemon.client.apply(allocManifest('a1', { name: 'web' }, { name: 'db' }));
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await daemon.stop();
  });

  function fs(...words: string[]): ChildProcessWithoutNullStreams {
    const main = join(compiledRoot(), 'src/cli/main.js');
    const child = spawn(process.execPath, [main, 'fs', ...words, '--socket', join(daemon.runtimeDir, 'dunnage.sock')]);
    children.push(child);
    return child;
  }

  test('what a task writes is listed, told of and read, and its secrets are not', async () => {
    writeFileSync(inAlloc(daemon, 'a1/web/local/page.html'), '<html>');
    writeFileSync(inAlloc(daemon, 'a1/web/secrets/key'), 'SECRET');
    await run('ln', ['-s', '../secrets', inAlloc(daemon, 'a1/web/local/link')]);
    assert.deepEqual(
      (await client.list('a1', 'web/local')).map(({ Name }) => Name),
      ['link', 'page.html'],
    );
    assert.equal((await client.stat('a1', 'web/local/page.html')).ContentType, 'text/html; charset=utf-8');
    assert.equal(await daemon.dunnage('fs', 'cat', 'a1', 'web/local/page.html'), '<html>');
    for (const path of ['web/secrets', 'web/secrets/key', 'web/local/link', 'web/local/link/key']) {
      const refused = { code: 'PERMISSION_DENIED', message: `Reading secret file prohibited: ${path}` };
      await assert.rejects(client.list('a1', path), refused);
      await assert.rejects(client.stat('a1', path), refused);
      await assert.rejects(client.read('a1', path).next(), refused);
    }
    await assert.rejects(client.list('a2', '/'), { code: 'NOT_FOUND' });
  });

  test('[S176] in the tree, too, the stable name of a log is the newest file of it', async () => {
    const log = inAlloc(daemon, 'a1/alloc/logs/db.stdout');
    for (const index of [0, 1, 2]) {
      writeFileSync(`${log}.${index}`, `file ${index}`);
      await until(`log ${index}`, async () => (await textOf(log)) === `file ${index}`);
    }
    assert.equal(readlinkSync(log), 'db.stdout.2');
    assert.equal(await daemon.dunnage('fs', 'cat', 'a1', 'alloc/logs/db.stdout'), 'file 2');
  });

  test('[S173] logs are followed over rotations and over daemons that are killed, each line once and in order', async () => {
    const logs = inAlloc(daemon, 'a1/alloc/logs');
    writeFileSync(join(logs, 'web.stdout.0'), '');
    const follower = fs('logs', '-f', 'a1', 'web');
    const ended = once(follower, 'close');
    let stdout = '';
    let stderr = '';
    follower.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    follower.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    const lines = 3_000;
    const writer = spawn(process.execPath, [WRITER, logs, 'web', String(lines), '100', '0']);
    children.push(writer);
    const written = once(writer, 'close');
    await until('line 200', () => stdout.includes('line 200\n'));
    const { pid } = await daemon.client.status();
    process.kill(pid, 'SIGKILL');
    await daemon.up();
    await written;
    await until('the end', () => stdout.endsWith('end\n') || follower.exitCode !== null);
    appendFileSync(join(logs, 'web.stdout.29'), 'after\n');
    await until('what comes after it', () => stdout.endsWith('after\n') || follower.exitCode !== null);
    follower.kill('SIGINT');
    const [code] = (await ended) as [number | null];
    const expected = Array.from({ length: lines }, (_, line) => `line ${line}\n`).join('');
    assert.equal(stdout, `${expected}end\nafter\n`);
    assert.match(stderr, /waiting for the next one/);
    assert.equal(code, 0);
  });

  test('[S174] the end of an alloc is the end of those who follow its files', async () => {
    await daemon.client.apply(allocManifest('a3', { name: 'web' }));
    writeFileSync(inAlloc(daemon, 'a3/alloc/data/file'), 'one');
    const frames = client.stream('a3', 'alloc/data/file', { follow: true });
    assert.equal((await frames.next()).value?.data?.toString(), 'one');
    await daemon.dunnage('alloc', 'delete', 'a3');
    let last = await frames.next();
    while (last.value?.fileEvent === undefined) last = await frames.next();
    assert.equal(last.value.fileEvent, 'file deleted');
    await assert.rejects(client.list('a3', '/'), { code: 'NOT_FOUND' });
  });
});

async function textOf(path: string): Promise<string> {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
