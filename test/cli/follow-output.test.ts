import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { StreamFrame } from '../../src/alloc/files/stream-frames.ts';
import { lastLines, startOfLines, write, writeFrames } from '../../src/cli/follow-output.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { StreamRequest } from '../../src/server/alloc-files-client.ts';

const { signal } = new AbortController();

test('the last lines begin after the right newline', () => {
  const rows: readonly (readonly [text: string, lines: number, rest: string])[] = [
    ['a\nb\nc\n', 1, 'c\n'],
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc\n', 3, 'a\nb\nc\n'],
    ['a\nb\nc\n', 9, 'a\nb\nc\n'],
    ['a\nb\nc', 1, 'c'],
    ['a\nb\nc', 2, 'b\nc'],
    ['\na', 1, 'a'],
    ['\na', 2, '\na'],
    ['\n\n', 1, '\n'],
    ['\n', 1, '\n'],
    ['', 3, ''],
    ['abc', 1, 'abc'],
  ];
  for (const [text, lines, rest] of rows) {
    const data = Buffer.from(text);
    assert.equal(data.subarray(startOfLines(data, lines)).toString(), rest, JSON.stringify([text, lines]));
  }
});

/** A file whose end can be asked for, as the daemon gives it. */
function fileOf(content: Buffer): (request: StreamRequest) => AsyncGenerator<StreamFrame> {
  return async function* ({ offset = 0 }) {
    const data = content.subarray(Math.max(0, content.length - offset));
    if (data.length > 0) yield { file: 'a', offset: content.length, data, token: `at ${content.length}` };
    yield {};
  };
}

test('as much as is needed is looked through, and no more than 32 MiB', async () => {
  const lines = Buffer.from(Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join(''));
  const last = await lastLines(fileOf(lines), 12_000, signal);
  assert.equal(last.data.toString().split('\n').length, 12_001);
  assert.ok(last.data.toString().startsWith('line 8000\n'));
  assert.equal(last.token, `at ${lines.length}`);
  const long = Buffer.alloc(40_000_000, 'x');
  assert.equal((await lastLines(fileOf(long), 1, signal)).data.length, 33_554_432);
  assert.deepEqual(await lastLines(fileOf(Buffer.alloc(0)), 5, signal), { data: Buffer.alloc(0), token: undefined });
});

async function framesTo(json: boolean): Promise<{ out: string; said: string; token: string | undefined }> {
  const stream = new PassThrough();
  let said = '';
  const frames = (async function* (): AsyncGenerator<StreamFrame> {
    yield { file: 'a', offset: 3, data: Buffer.from('one'), token: 't1' };
    yield {};
    yield { file: 'a', offset: 0, fileEvent: 'file truncated', token: 't2' };
    yield { file: 'a', offset: 3, data: Buffer.from('two'), token: 't3' };
  })();
  const token = await writeFrames(
    () => frames,
    { signal },
    {
      json,
      stream,
      say: (text) => {
        said += text;
      },
    },
  );
  stream.end();
  let out = '';
  for await (const chunk of stream) out += String(chunk);
  return { out, said, token };
}

test('content goes to the output, events beside it; heartbeats nowhere', async () => {
  assert.deepEqual(await framesTo(false), { out: 'onetwo', said: 'a: file truncated\n', token: 't3' });
});

test('as JSON each frame is a line', async () => {
  const { out } = await framesTo(true);
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { Offset: 3, Data: 'b25l', File: 'a', Token: 't1' },
      { File: 'a', FileEvent: 'file truncated', Token: 't2' },
      { Offset: 3, Data: 'dHdv', File: 'a', Token: 't3' },
    ],
  );
});

test('a daemon that goes is waited for, and the next one asked for what follows', async () => {
  const asked: (string | undefined)[] = [];
  const said: string[] = [];
  const stream = new PassThrough();
  const open = async function* ({ resume }: StreamRequest): AsyncGenerator<StreamFrame> {
    asked.push(resume);
    if (asked.length === 2) throw new DunnageError('UNREACHABLE', 'no daemon answers');
    yield { file: 'a', offset: asked.length, data: Buffer.from(String(asked.length)), token: `t${asked.length}` };
    if (asked.length === 1) throw new DunnageError('UNREACHABLE', 'the connection ended');
  };
  const output = { json: false, stream, say: (text: string) => void said.push(text) };
  assert.equal(await writeFrames(open, { follow: true, signal }, output), 't3');
  assert.deepEqual(asked, [undefined, 't1', 't1']);
  assert.equal(stream.read()?.toString(), '13');
  assert.deepEqual(said, ['the daemon is gone; waiting for the next one\n', 'the next daemon goes on\n']);
  asked.length = 0;
  await assert.rejects(writeFrames(open, { signal }, output), { code: 'UNREACHABLE' });
});

test('an output that takes nothing is waited for', async () => {
  const stream = new PassThrough({ highWaterMark: 4 });
  const written = write(stream, 'more than four');
  let isDone = false;
  written.then(
    () => {
      isDone = true;
    },
    () => undefined,
  );
  await new Promise(setImmediate);
  assert.equal(isDone, false);
  stream.resume();
  await written;
});
