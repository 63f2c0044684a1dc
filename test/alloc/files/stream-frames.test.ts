import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FollowEvent } from '../../../src/alloc/files/follow-event.ts';
import { plainBytes, type StreamFrame, streamFrames } from '../../../src/alloc/files/stream-frames.ts';

/** Events that a test sends one by one. */
class Source implements AsyncIterable<FollowEvent> {
  readonly #queue: FollowEvent[] = [];
  #wake: () => void = () => undefined;
  #ended = false;
  taken = 0;
  offset = 0;

  send(text: string, file = 'a'): void {
    this.offset += text.length;
    this.#push({ file, offset: this.offset, data: Buffer.from(text), token: `${file}${this.offset}` });
  }

  tell(fileEvent: 'file deleted' | 'file truncated'): void {
    this.#push({ file: 'a', offset: this.offset, fileEvent, token: 't' });
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #push(event: FollowEvent): void {
    this.#queue.push(event);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FollowEvent> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        this.taken += 1;
        yield next;
      } else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

const HOUR_MS = 3_600_000;
const shown = ({ data, ...rest }: StreamFrame): unknown => ({ ...rest, text: data?.toString() });
const framesOf = async (source: Source, options: object): Promise<unknown[]> => {
  const frames: unknown[] = [];
  for await (const frame of streamFrames(source, options)) frames.push(shown(frame));
  return frames;
};

test('what comes together is one frame, with the position and the token after its last byte', async () => {
  const source = new Source();
  source.send('first');
  const frames = streamFrames(source, { windowMs: HOUR_MS, heartbeatMs: HOUR_MS });
  assert.deepEqual(shown((await frames.next()).value), { file: 'a', offset: 5, token: 'a5', text: 'first' });
  for (const text of ['one', 'two', 'three']) source.send(text);
  source.end();
  assert.deepEqual(shown((await frames.next()).value), { file: 'a', offset: 16, token: 'a16', text: 'onetwothree' });
  assert.equal((await frames.next()).done, true);
});

test('the end of the window flushes', async () => {
  const source = new Source();
  source.send('x');
  const frames = streamFrames(source, { windowMs: 5, heartbeatMs: HOUR_MS });
  await frames.next();
  source.send('y');
  assert.equal(((await frames.next()).value as StreamFrame).data?.toString(), 'y');
  source.end();
  await frames.next();
});

test('a frame has at most so many bytes, and each has the position after its own', async () => {
  const source = new Source();
  source.send('abcdefgh');
  source.end();
  assert.deepEqual(await framesOf(source, { bytesMax: 3, windowMs: HOUR_MS }), [
    { file: 'a', offset: 3, text: 'abc' },
    { file: 'a', offset: 6, text: 'def' },
    { file: 'a', offset: 8, token: 'a8', text: 'gh' },
  ]);
});

test('another file and an event begin another frame; the order is kept', async () => {
  const source = new Source();
  source.send('1');
  source.send('2', 'b');
  source.send('3', 'b');
  source.tell('file truncated');
  source.send('4', 'b');
  source.end();
  assert.deepEqual(await framesOf(source, { windowMs: HOUR_MS }), [
    { file: 'a', offset: 1, token: 'a1', text: '1' },
    { file: 'b', offset: 3, token: 'b3', text: '23' },
    { file: 'a', offset: 3, token: 't', fileEvent: 'file truncated', text: undefined },
    { file: 'b', offset: 4, token: 'b4', text: '4' },
  ]);
});

test('who has nothing to tell sends empty frames', async () => {
  const source = new Source();
  const frames = streamFrames(source, { heartbeatMs: 1 });
  assert.deepEqual((await frames.next()).value, {});
  assert.deepEqual((await frames.next()).value, {});
  source.send('x');
  let frame: StreamFrame = {};
  while (frame.data === undefined) frame = (await frames.next()).value as StreamFrame;
  assert.equal(frame.data.toString(), 'x');
  source.end();
  while ((await frames.next()).done !== true);
});

test('nothing is taken ahead of who takes the frames', async () => {
  const source = new Source();
  for (let count = 0; count < 100; count += 1) source.send('four');
  const frames = streamFrames(source, { bytesMax: 4, windowMs: HOUR_MS });
  await frames.next();
  await new Promise(setImmediate);
  assert.ok(source.taken <= 2, `${source.taken} events taken`);
  source.end();
  await frames.return(undefined);
});

test('an error of the events comes through, and leaving early ends them', async () => {
  const failing = (async function* (): AsyncGenerator<FollowEvent> {
    yield { file: 'a', offset: 1, data: Buffer.from('x'), token: '' };
    throw new Error('broken');
  })();
  const frames = streamFrames(failing);
  await frames.next();
  await assert.rejects(frames.next(), /broken/);
  let ended = false;
  const endless = (async function* (): AsyncGenerator<FollowEvent> {
    try {
      for (;;) yield { file: 'a', offset: 1, data: Buffer.from('x'), token: '' };
    } finally {
      ended = true;
    }
  })();
  for await (const _ of streamFrames(endless, { bytesMax: 1 })) break;
  assert.equal(ended, true);
});

test('plain bytes are the content and nothing else', async () => {
  const source = new Source();
  source.send('one');
  source.tell('file truncated');
  source.send('two');
  source.end();
  const chunks: Buffer[] = [];
  for await (const chunk of plainBytes(source)) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'onetwo');
});
