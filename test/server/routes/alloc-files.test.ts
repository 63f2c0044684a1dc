/** The file API over a real socket, with real files: statuses, texts, headers and frames of the reference. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { AllocFilesPort } from '../../../src/server/alloc-files-port.ts';
import { type ControlServer, startControlServer } from '../../../src/server/control-server.ts';
import { decodeFrames } from '../../../src/server/stream-frame-json.ts';
import { AllocScene } from '../../alloc/files/helpers/alloc-scene.ts';
import { FakeOperations } from '../fake-operations.ts';

let scene: AllocScene;
let server: ControlServer;
let socketPath: string;

beforeEach(async () => {
  scene = new AllocScene({ tasks: ['web', 'db'] });
  socketPath = `${scene.folder}/s`;
  const allocFiles: AllocFilesPort = {
    find(allocId) {
      if (allocId === 'a1') return { files: scene.files, isStarted: (task) => task !== 'db' };
      return allocId === 'gone' ? { files: undefined, isStarted: () => false } : undefined;
    },
  };
  server = await startControlServer({ socketPath, operations: new FakeOperations(), allocFiles, log: silentLog });
});
afterEach(async () => {
  await server.close();
  await scene.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

async function begin(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const asked = request({ socketPath, path: `/v1/client/fs/${path}`, headers, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await begin(path, headers);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() };
}

describe('ls and stat', () => {
  test('answer the fields of the reference', async () => {
    scene.write('web/local/page', '<html>');
    const list = await get('ls/a1?path=web/local');
    assert.equal(list.status, 200);
    assert.match(list.headers['content-type'] ?? '', /^application\/json/);
    const [entry] = JSON.parse(list.text) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(entry ?? {}), ['Name', 'IsDir', 'Size', 'FileMode', 'ModTime']);
    assert.deepEqual([entry?.['Name'], entry?.['IsDir'], entry?.['Size']], ['page', false, 6]);
    assert.match(String(entry?.['ModTime']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/);
    const stat = JSON.parse((await get('stat/a1?path=/web/local/page')).text) as Record<string, unknown>;
    assert.deepEqual([stat['Size'], stat['ContentType']], [6, 'text/html; charset=utf-8']);
  });

  test('the path of ls is the root if none is given; a long listing is one array', async () => {
    const names = (text: string): unknown[] => (JSON.parse(text) as { Name: string }[]).map(({ Name }) => Name);
    assert.deepEqual(names((await get('ls/a1')).text), ['alloc', 'db', 'web']);
    assert.deepEqual(names((await get('ls/a1?path=alloc/data')).text), []);
    const count = 2 * limits.fileListBatch + 1;
    for (let index = 0; index < count; index += 1) scene.write(`alloc/data/${index}`, '');
    assert.equal(names((await get('ls/a1?path=alloc/data')).text).length, count);
  });
});

describe('cat and readat', () => {
  const script = '<script>alert(document.domain);</script>';

  for (const path of ['cat/a1?path=web/local/page', 'readat/a1?path=web/local/page&offset=0&limit=1000']) {
    test(`[S177] ${path} keeps browsers from taking content for a page`, async () => {
      scene.write('web/local/page', script);
      const { status, headers, text } = await get(path);
      assert.deepEqual([status, text], [200, script]);
      assert.equal(headers['content-type'], 'text/plain');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-xss-protection'], '1; mode=block');
      assert.equal(headers['content-security-policy'], "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    });
  }

  test('readat gives a range', async () => {
    scene.write('web/local/file', '0123456789');
    assert.equal((await get('readat/a1?path=web/local/file&offset=1&limit=3')).text, '123');
    assert.equal((await get('readat/a1?path=web/local/file&offset=8')).text, '89');
    assert.equal((await get('readat/a1?path=web/local/file&offset=100')).text, '');
  });
});

describe('stream', () => {
  test('gives the last bytes in one frame, with the position after them', async () => {
    scene.write('web/local/file', '0123456789');
    const { text, headers } = await get('stream/a1?path=web/local/file&offset=4&origin=end&follow=false');
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(text), {
      Offset: 10,
      Data: Buffer.from('6789').toString('base64'),
      File: 'web/local/file',
    });
    assert.equal((await get('stream/a1?path=web/local/file&offset=7&follow=false&plain=true')).text, '789');
  });

  test('follows unless it is told not to, beats when there is nothing, and ends with the file', async () => {
    scene.write('web/local/file', 'one');
    const response = await begin('stream/a1?path=web/local/file');
    const frames = decodeFrames(response);
    assert.equal((await frames.next()).value?.data?.toString(), 'one');
    assert.deepEqual((await frames.next()).value, {});
    scene.append('web/local/file', 'two');
    let two = (await frames.next()).value;
    while (two?.data === undefined) two = (await frames.next()).value;
    assert.deepEqual([two?.data?.toString(), two?.offset, two?.token], ['two', 6, undefined]);
    execFileSync('rm', [scene.path('web/local/file')]);
    let last = await frames.next();
    while (last.value?.fileEvent === undefined) last = await frames.next();
    assert.equal(last.value.fileEvent, 'file deleted');
    assert.equal((await frames.next()).done, true);
  });

  test('[S175] tokens are given if asked for, and taken', async () => {
    scene.write('web/local/file', 'one');
    const { text } = await get('stream/a1?path=web/local/file&follow=false&tokens=true');
    const token = (JSON.parse(text) as { Token: string }).Token;
    scene.append('web/local/file', 'two');
    const resumed = await get(`stream/a1?path=web/local/file&follow=false&plain=true&resume=${token}`);
    assert.equal(resumed.text, 'two');
  });

  test('a client that goes ends the follower; a server that closes ends all', async () => {
    scene.write('web/local/file', 'one');
    const response = await begin('stream/a1?path=web/local/file&plain=true');
    assert.equal(response.statusCode, 200);
    response.destroy();
    while (!scene.inotify.isIdle) await new Promise(setImmediate);
    const other = await begin('stream/a1?path=web/local/file&plain=true');
    const closed = server.close();
    for await (const chunk of other) assert.equal(String(chunk), 'one');
    await closed;
    assert.equal(scene.inotify.isIdle, true);
  });

  test('[S178] who reads slowly does not make the daemon hold what is appended meanwhile', async () => {
    scene.write('web/local/file', '');
    const response = await begin('stream/a1?path=web/local/file&plain=true');
    response.pause();
    const block = Buffer.alloc(1_048_576, 'x');
    for (let count = 0; count < 32; count += 1) {
      scene.append('web/local/file', block);
      await new Promise(setImmediate);
    }
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 32; count += 1) {
      scene.append('web/local/file', block);
      await new Promise(setImmediate);
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * block.length, 'what is not taken is not read');
    let taken = 0;
    response.resume();
    for await (const chunk of response) {
      taken += (chunk as Buffer).length;
      if (taken === 64 * block.length) break;
    }
    assert.equal(taken, 64 * block.length);
  });
});

describe('logs', () => {
  beforeEach(() => {
    for (const index of [0, 1, 2]) scene.write(`alloc/logs/web.stdout.${index}`, String(index));
  });

  test('of all files in order, as frames and plain', async () => {
    const { text, headers } = await get('logs/a1?task=web&type=stdout&plain=true');
    assert.equal(text, '012');
    assert.equal(headers['content-type'], 'text/plain');
    const frames = await get('logs/a1?task=web&type=stdout');
    assert.equal(frames.headers['content-type'], 'application/json');
    assert.ok(frames.text.startsWith('{"Offset":1,"Data":"MA==","File":"alloc/logs/web.stdout.0"}{"Offset":1,'));
    assert.equal((await get('logs/a1?task=web&type=stdout&plain=true&origin=end&offset=2')).text, '12');
  });

  test('follow if they are told to', async () => {
    const response = await begin('logs/a1?task=web&type=stdout&follow=true&plain=true');
    let text = '';
    for await (const chunk of response) {
      text += String(chunk);
      if (text === '012') scene.write('alloc/logs/web.stdout.12', 'twelve');
      if (text.endsWith('twelve')) break;
    }
    assert.equal(text, '012twelve');
  });
});

const UNPARSABLE = 'parsing "x": invalid syntax';
const ERRORS: readonly (readonly [path: string, status: number, message: string])[] = [
  ['ls/', 400, 'must provide a valid alloc id'],
  ['ls', 400, 'must provide a valid alloc id'],
  ['logs/', 400, 'must provide a valid alloc id'],
  ...['stat', 'readat', 'cat', 'stream'].map((name) => [`${name}/a1`, 400, 'must provide a file name'] as const),
  ['logs/a1', 400, 'must provide task name'],
  ['logs/a1?task=web', 400, 'must provide log type (stdout/stderr)'],
  ['logs/a1?task=web&type=std', 400, 'must provide log type (stdout/stderr)'],
  ['logs/a1?task=web&type=stdout&origin=middle', 400, 'origin must be start or end'],
  ['stream/a1?path=x&origin=middle', 400, 'origin must be start or end'],
  ['logs/a1?task=web&follow=x', 400, `failed to parse follow field to boolean: strconv.ParseBool: ${UNPARSABLE}`],
  ['stream/a1?path=x&follow=x', 400, `failed to parse follow field to boolean: strconv.ParseBool: ${UNPARSABLE}`],
  [
    'logs/a1?task=web&type=stdout&plain=x',
    400,
    `failed to parse plain field to boolean: strconv.ParseBool: ${UNPARSABLE}`,
  ],
  ['logs/a1?task=web&type=stdout&offset=x', 400, `error parsing offset: strconv.ParseInt: ${UNPARSABLE}`],
  ['stream/a1?path=x&offset=x', 400, `error parsing offset: strconv.ParseInt: ${UNPARSABLE}`],
  ['stream/a1?path=x&offset=-1', 400, 'error parsing offset: it must not be negative'],
  ['readat/a1?path=x&offset=x', 500, `error parsing offset: strconv.ParseInt: ${UNPARSABLE}`],
  ['readat/a1?path=x', 500, 'error parsing offset: strconv.ParseInt: parsing "": invalid syntax'],
  ['ls/a2', 404, 'alloc lookup failed: Unknown allocation "a2"'],
  ['logs/a2?task=web&type=stdout', 404, 'alloc lookup failed: Unknown allocation "a2"'],
  ['cat/gone?path=x', 404, 'state for allocation gone not found on client'],
  ['ls/a1?path=web/local/regular', 400, 'file "web/local/regular" is not a directory'],
  ['ls/a1?path=nothing', 404, 'no such file or directory: nothing'],
  ['stat/a1?path=nothing', 404, 'no such file or directory: nothing'],
  ['cat/a1?path=nothing', 404, 'no such file or directory: nothing'],
  ['stream/a1?path=nothing', 400, 'no such file or directory: nothing'],
  ['stream/a1?path=web', 400, 'file "web" is a directory'],
  ['cat/a1?path=web', 400, 'file "web" is a directory'],
  ['logs/a1?task=nobody&type=stdout', 400, 'unknown task name "nobody"'],
  ['logs/a1?task=db&type=stdout', 404, 'task "db" not started yet. No logs available'],
  ['logs/a1?task=web&type=stderr', 404, 'log entry for task "web" and log type "stderr" not found'],
  ['logs/a1?task=web&type=stderr&follow=true', 404, 'log entry for task "web" and log type "stderr" not found'],
  ['stat/a1?path=../x', 400, 'Path escapes the alloc directory'],
  ['cat/a1?path=web/secrets/key', 403, 'Reading secret file prohibited: web/secrets/key'],
  ['stream/a1?path=web/secrets/key', 403, 'Reading secret file prohibited: web/secrets/key'],
  ['ls/a1?path=web/private', 403, 'Reading private file prohibited: web/private'],
];

describe('what is wrong is a status and a text, before anything is sent', () => {
  for (const [path, status, message] of ERRORS) {
    test(`${path}: ${status} ${message}`, async () => {
      scene.write('web/local/regular', 'x');
      const answer = await get(path);
      assert.deepEqual([answer.status, answer.text], [status, message]);
      assert.match(answer.headers['content-type'] ?? '', /^text\/plain/);
    });
  }

  test('as our usual JSON for who accepts it', async () => {
    const { status, text } = await get('ls/a1?path=nothing', { accept: 'application/json' });
    assert.equal(status, 404);
    assert.deepEqual(JSON.parse(text), { error: { code: 'NOT_FOUND', message: 'no such file or directory: nothing' } });
  });

  test('an unknown operation does not exist', async () => {
    assert.equal((await get('rm/a1?path=x')).status, 404);
  });

  test('parameters that are not known are ignored, those that are given twice refused', async () => {
    assert.equal((await get('ls/a1?region=global&namespace=default')).status, 200);
    assert.equal((await get('ls/a1?path=web&path=db')).status, 400);
  });
});
