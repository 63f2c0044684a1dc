/** `dunnage fs` as its users run it, against a control socket with real files behind it. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { type ControlServer, startControlServer } from '../../../src/server/control-server.ts';
import { AllocScene } from '../../alloc/files/helpers/alloc-scene.ts';
import { FakeOperations } from '../../server/fake-operations.ts';
import { compiledRoot } from '../../tools/repository.ts';
import { dunnage, type Ran } from '../run-dunnage.ts';

let scene: AllocScene;
let server: ControlServer;
let socketPath: string;
let followers: ChildProcessWithoutNullStreams[];

beforeEach(async () => {
  followers = [];
  scene = new AllocScene();
  socketPath = `${scene.folder}/s`;
  const found = { files: scene.files, isStarted: () => true };
  const allocFiles = { find: (allocId: string) => (allocId === 'a1' ? found : undefined) };
  server = await startControlServer({ socketPath, operations: new FakeOperations(), allocFiles, log: silentLog });
});
afterEach(async () => {
  for (const child of followers) child.kill('SIGKILL');
  await server.close();
  await scene.close();
});

const fs = (...words: string[]): Promise<Ran> => dunnage(['fs', ...words, '--socket', socketPath]);

class Follower {
  readonly #child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';

  constructor(...words: string[]) {
    const main = join(compiledRoot(), 'src/cli/main.js');
    this.#child = spawn(process.execPath, [main, 'fs', ...words, '--socket', socketPath]);
    followers.push(this.#child);
    this.#child.stdout.on('data', (chunk) => {
      this.stdout += String(chunk);
    });
    this.#child.stderr.on('data', (chunk) => {
      this.stderr += String(chunk);
    });
  }

  async until(text: string): Promise<void> {
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      await Promise.race([once(this.#child.stdout, 'data'), once(this.#child.stderr, 'data'), this.#failed()]);
    }
  }

  async #failed(): Promise<never> {
    await once(this.#child, 'close');
    throw new Error(`it ended: ${this.stdout}${this.stderr}`);
  }

  async stop(): Promise<number | null> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGINT');
    const [code] = (await closed) as [number | null];
    return code;
  }
}

test('ls is a table, or JSON', async () => {
  scene.write('web/local/file', 'x'.repeat(1536));
  scene.directory('web/local/below');
  scene.link('web/local/link', 'file');
  const { stdout, exitCode } = await fs('ls', 'a1', 'web/local');
  assert.equal(exitCode, 0);
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^MODE +SIZE +MODIFIED +NAME$/);
  assert.match(lines[1] ?? '', /^d[rwxt-]+ +- +\S+Z +below\/$/);
  assert.match(lines[2] ?? '', /^-rw-r--r-- +1\.5 KiB +\S+Z +file$/);
  assert.match(lines[3] ?? '', /^Lrwxrwxrwx +4 B +\S+Z +link$/);
  const json = JSON.parse((await fs('ls', 'a1', '--json')).stdout) as { Name: string }[];
  assert.deepEqual(
    json.map(({ Name }) => Name),
    ['alloc', 'db', 'web'],
  );
});

test('stat and cat show one file', async () => {
  scene.write('web/local/page', '<html>\u0007\n');
  const { stdout } = await fs('stat', 'a1', 'web/local/page');
  assert.match(
    stdout,
    /^Name: +page\nMode: +-rw-r--r--\nSize: +8 \(8 B\)\nModified: +\S+Z\nContent: +text\/html; charset=utf-8\n$/,
  );
  assert.equal((await fs('cat', 'a1', 'web/local/page')).stdout, '<html>\u0007\n');
  const { Data } = JSON.parse((await fs('cat', 'a1', 'web/local/page', '--json')).stdout) as { Data: string };
  assert.equal(Buffer.from(Data, 'base64').toString(), '<html>\u0007\n');
});

test('what is wrong has an exit code and a sentence', async () => {
  scene.write('web/secrets/key', 'SECRET');
  const rows = [
    [['cat', 'a1', 'nothing'], 4, 'no such file or directory: nothing'],
    [['cat', 'a2', 'x'], 4, 'Unknown allocation "a2"'],
    [['cat', 'a1', 'web/secrets/key'], 6, 'Reading secret file prohibited: web/secrets/key'],
    [['ls', 'a1', '../x'], 2, 'Path escapes the alloc directory'],
    [['logs', 'a1', 'web'], 4, 'log entry for task "web" and log type "stdout" not found'],
    [['logs', 'a1', 'web', '--tail', '1', '--resume', 'x'], 2, '--tail and --resume'],
    [['tail', 'a1', 'web', '-n', 'x'], 2, 'whole number'],
  ] as const;
  for (const [words, exitCode, message] of rows) {
    const ran = await fs(...words);
    assert.deepEqual([ran.exitCode, ran.stdout], [exitCode, ''], words.join(' '));
    assert.ok(ran.stderr.includes(message), ran.stderr);
  }
});

test('tail prints the last lines, and follows', async () => {
  scene.write('web/local/log', Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join(''));
  assert.equal((await fs('tail', 'a1', 'web/local/log', '-n', '2')).stdout, 'line 28\nline 29\n');
  assert.equal((await fs('tail', 'a1', 'web/local/log')).stdout.split('\n').length, 11);
  const follower = new Follower('tail', '-f', '-n', '1', 'a1', 'web/local/log');
  await follower.until('line 29\n');
  scene.append('web/local/log', 'line 30\n');
  await follower.until('line 30\n');
  truncateSync(scene.path('web/local/log'), 0);
  await follower.until('file truncated');
  scene.append('web/local/log', 'anew\n');
  await follower.until('anew\n');
  rmSync(scene.path('web/local/log'));
  await follower.until('file deleted');
  assert.equal(follower.stdout, 'line 29\nline 30\nanew\n');
});

test('[S173] logs follow rotations until Ctrl-C, which tells the token that goes on', async () => {
  scene.write('alloc/logs/web.stdout.0', 'zero\n');
  scene.write('alloc/logs/web.stderr.0', 'error\n');
  const follower = new Follower('logs', '-f', 'a1', 'web');
  await follower.until('zero\n');
  scene.write('alloc/logs/web.stdout.1', 'one\n');
  await follower.until('one\n');
  assert.equal(await follower.stop(), 0);
  assert.equal(follower.stdout, 'zero\none\n');
  const token = /--resume (\S+)/.exec(follower.stderr)?.[1] ?? '';
  scene.append('alloc/logs/web.stdout.1', 'more\n');
  assert.equal((await fs('logs', 'a1', 'web', '--resume', token)).stdout, 'more\n');
  assert.equal((await fs('logs', 'a1', 'web', '--tail', '2')).stdout, 'one\nmore\n');
  assert.equal((await fs('logs', 'a1', 'web', '--stderr')).stdout, 'error\n');
  const [line] = (await fs('logs', 'a1', 'web', '--stderr', '--json')).stdout.split('\n');
  const frame = JSON.parse(line ?? '') as Record<string, unknown>;
  assert.deepEqual([frame['Data'], frame['Offset'], frame['File']], ['ZXJyb3IK', 6, 'alloc/logs/web.stderr.0']);
});
