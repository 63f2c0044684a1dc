/** The channel on a SOCK_SEQPACKET socket instead of /dev/fuse: whole requests, whole replies, an end. Needs no rights. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Channel } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();
const openCount = (): number => readdirSync('/proc/self/fd').length;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Bench {
  readonly channel: Channel;
  readonly peer: number;
  readonly requests: string[];
  readonly ended: Promise<number>;
  /** Waits until that many requests have come. */
  received(count: number): Promise<void>;
  done(): Promise<void>;
}

function makeBench(
  onRequest: (text: string, lengthBytes: number) => void = () => undefined,
  requestsPerTurn = 16,
  requestBuffer?: ArrayBuffer,
): Bench {
  const [device, peer] = native.socketPair('seqpacket');
  const requests: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let end: (errno: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const channel = native.createChannel(device, {
    bufferSizeBytes: 8192,
    ...(requestBuffer === undefined ? {} : { requestBuffer }),
    requestsPerTurn,
    onRequest: (lengthBytes) => {
      const text = Buffer.from(channel.requestBuffer, 0, lengthBytes).toString();
      requests.push(text);
      for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
      onRequest(text, lengthBytes);
    },
    onEnd: (errno) => end(errno),
  });
  return {
    channel,
    peer,
    requests,
    ended,
    received: (count) =>
      requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    done: async () => {
      await channel.close();
      native.closeDescriptor(device);
      native.closeDescriptor(peer);
    },
  };
}

const ask = (bench: Bench, text: string): void => native.sendMessage(bench.peer, Buffer.from(text), []);
const answer = (bench: Bench): string => native.receiveMessage(bench.peer, 65536, 1000).data.toString();

test('requests come in order, also more than fit in one turn, and replies go out whole', async () => {
  const bench = makeBench(undefined, 2);
  for (const text of ['a', 'b', 'c', 'd', 'e']) ask(bench, text);
  bench.channel.start();
  await bench.received(5);
  assert.deepEqual(bench.requests, ['a', 'b', 'c', 'd', 'e']);
  const reply = Buffer.from(bench.channel.replyBuffer);
  reply.write('head');
  assert.equal(bench.channel.send(4), 0);
  assert.equal(answer(bench), 'head');
  assert.equal(bench.channel.send(4, Buffer.from('-body')), 0);
  assert.equal(answer(bench), 'head-body');
  assert.equal(bench.channel.send(2, new Uint8Array(0)), 0);
  assert.equal(answer(bench), 'he');
  await bench.done();
});

test('the buffers are as large as promised and always the same objects', async () => {
  const bench = makeBench();
  assert.equal(bench.channel.requestBuffer.byteLength, 8192);
  assert.ok(bench.channel.replyBuffer.byteLength >= 65536 + 16);
  assert.equal(bench.channel.requestBuffer, bench.channel.requestBuffer);
  assert.throws(() => bench.channel.send(bench.channel.replyBuffer.byteLength + 1), RangeError);
  assert.throws(() => bench.channel.send(1, [1] as unknown as Uint8Array), TypeError);
  await bench.done();
});

test('requests are read into memory that is given, and their first words stay only while they are handled', async () => {
  const descriptor = native.createMemfd('requests', 16_384);
  // Two mappings, as of two processes.
  const [given, seen] = [native.mapShared(descriptor, 16_384), new Uint8Array(native.mapShared(descriptor, 16_384))];
  native.closeDescriptor(descriptor);
  const during: string[] = [];
  const bench = makeBench(
    (_text, bytes) => void during.push(Buffer.from(seen.subarray(0, bytes)).toString()),
    16,
    given,
  );
  assert.equal(bench.channel.requestBuffer, given);
  seen.fill(0x78);
  ask(bench, 'first request');
  ask(bench, 'second one, a longer request');
  bench.channel.start();
  await bench.received(2);
  await turn();
  assert.deepEqual(during, ['first request', 'second one, a longer request']);
  assert.equal(Buffer.from(seen.subarray(0, 30)).toString('latin1'), `${'\0'.repeat(8)}ne, a longer requestxx`);
  // More than `bufferSizeBytes` is not the channel's.
  ask(bench, 'y'.repeat(9_000));
  await bench.received(3);
  assert.deepEqual(seen.subarray(8191, 8193), Uint8Array.of(0x79, 0x78));
  await bench.done();
});

test('memory that is too small for requests is refused', () => {
  const options = { bufferSizeBytes: 8192, requestsPerTurn: 1, onRequest() {}, onEnd() {} };
  for (const requestBuffer of [new ArrayBuffer(8191), new Uint8Array(8192), null, new SharedArrayBuffer(8192)]) {
    assert.throws(
      () => native.createChannel(0, { ...options, requestBuffer: requestBuffer as ArrayBuffer }),
      TypeError,
    );
  }
});

test('the end of the connection is told once, and replies fail with an errno afterwards', async () => {
  const bench = makeBench();
  bench.channel.start();
  ask(bench, 'last');
  native.closeDescriptor(bench.peer);
  assert.ok((await bench.ended) > 0);
  assert.deepEqual(bench.requests, ['last']);
  assert.ok(bench.channel.send(4) > 0);
  await bench.channel.close();
  assert.ok(bench.channel.send(4) > 0);
});

test('close inside onRequest ends the turn: what follows stays in the device', async () => {
  let closed: Promise<void> | undefined;
  const bench = makeBench(() => {
    closed = bench.channel.close();
  });
  ask(bench, 'first');
  ask(bench, 'second');
  bench.channel.start();
  await bench.received(1);
  await closed;
  await turn();
  assert.deepEqual(bench.requests, ['first']);
  await bench.done();
});

test('every method may be called in every state', async () => {
  const bench = makeBench();
  const { channel } = bench;
  channel.start();
  assert.throws(() => channel.start(), { code: 'EALREADY' });
  const first = channel.close();
  const second = channel.close();
  await Promise.all([first, second, channel.close()]);
  await channel.close();
  assert.throws(() => channel.start(), { code: 'EBADF' });
  assert.equal(channel.send(1), 9);
  channel.notify(new Uint8Array(1));
  assert.deepEqual(channel.notifierStatus(), { pending: 0, failed: 0 });
  await assert.rejects(channel.notifierDrained(), { code: 'ECANCELED' });
  await bench.done();
});

test('notifications are copied, written in order, and drained means written', async () => {
  const bench = makeBench();
  await bench.channel.notifierDrained();
  const bytes = Buffer.from('0');
  for (const digit of '12345') {
    bytes.write(digit);
    bench.channel.notify(bytes);
  }
  await bench.channel.notifierDrained();
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => answer(bench)),
    ['1', '2', '3', '4', '5'],
  );
  assert.deepEqual(bench.channel.notifierStatus(), { pending: 0, failed: 0 });
  await bench.done();
});

test('notifications that fail are counted and do not stop the next', async () => {
  const bench = makeBench();
  native.closeDescriptor(bench.peer);
  bench.channel.notify(Buffer.from('a'));
  bench.channel.notify(Buffer.from('b'));
  await bench.channel.notifierDrained();
  assert.deepEqual(bench.channel.notifierStatus(), { pending: 0, failed: 2 });
  await bench.channel.close();
  assert.equal(bench.channel.notifierStatus().failed, 2);
});

test('promises made in onRequest are continued in the same turn', async () => {
  const order: string[] = [];
  const bench = makeBench((text) => {
    void Promise.resolve().then(() => order.push(`then ${text}`));
    setImmediate(() => order.push(`later ${text}`));
  });
  ask(bench, 'a');
  bench.channel.start();
  await bench.received(1);
  await turn();
  await turn();
  assert.deepEqual(order, ['then a', 'later a']);
  await bench.done();
});

test('descriptors do not leak: neither of closed channels nor of refused ones', async () => {
  const before = openCount();
  for (let round = 0; round < 50; round++) {
    const bench = makeBench();
    if (round % 2 === 0) bench.channel.start();
    if (round % 3 === 0) bench.channel.notify(Buffer.from('x'));
    await bench.done();
  }
  const options = { bufferSizeBytes: 8192, requestsPerTurn: 1, onRequest() {}, onEnd() {} };
  assert.throws(() => native.createChannel(0, { ...options, bufferSizeBytes: 4096 }), TypeError);
  assert.throws(() => native.createChannel(0, { ...options, requestsPerTurn: 0 }), TypeError);
  assert.throws(() => native.createChannel(9999, options), { code: 'EBADF' });
  assert.equal(openCount(), before);
});

test('a number the owner closes too early is not read or written any more', async () => {
  const bench = makeBench();
  const [device, peer] = native.socketPair('seqpacket');
  let seen = '';
  const got = new Promise<void>((resolve) => {
    const channel = native.createChannel(device, {
      bufferSizeBytes: 8192,
      requestsPerTurn: 1,
      onRequest: (lengthBytes) => {
        seen = Buffer.from(channel.requestBuffer, 0, lengthBytes).toString();
        Buffer.from(channel.replyBuffer).write('ok');
        channel.send(2);
        void channel.close().then(resolve);
      },
      onEnd: () => undefined,
    });
    channel.start();
  });
  native.closeDescriptor(device);
  const [other, otherPeer] = native.socketPair('seqpacket');
  assert.equal(other, device, 'the number is somebody else now');
  native.sendMessage(otherPeer, Buffer.from('wrong'), []);
  native.sendMessage(peer, Buffer.from('right'), []);
  await got;
  assert.equal(seen, 'right');
  assert.equal(native.receiveMessage(peer, 16, 1000).data.toString(), 'ok');
  for (const descriptor of [other, otherPeer, peer]) native.closeDescriptor(descriptor);
  await bench.done();
});
