import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const openCount = (): number => readdirSync('/proc/self/fd').length;

for (const [event, cause] of [
  ['something to read', (peer: number): void => native.sendMessage(peer, Buffer.from('x'), [])],
  ['the end of the connection', (peer: number): void => native.closeDescriptor(peer)],
] as const) {
  test(`watchReadable calls back once for ${event}`, async () => {
    const [ours, theirs] = native.socketPair('seqpacket');
    let calls = 0;
    const called = new Promise<void>((resolve) => {
      native.watchReadable(ours, () => {
        calls++;
        resolve();
      });
    });
    await turn();
    assert.equal(calls, 0);
    cause(theirs);
    await called;
    await turn();
    await turn();
    assert.equal(calls, 1);
    native.closeDescriptor(ours);
    if (event === 'something to read') native.closeDescriptor(theirs);
  });
}

test('a stopped watch does not call back, and stopping twice is no mistake', async () => {
  const before = openCount();
  const [ours, theirs] = native.socketPair('seqpacket');
  const stop = native.watchReadable(ours, () => assert.fail('called after stop'));
  stop();
  stop();
  native.closeDescriptor(theirs);
  await turn();
  await turn();
  native.closeDescriptor(ours);
  assert.equal(openCount(), before);
});

test('a watch does not keep a connection open that its owner closes', async () => {
  const [ours, theirs] = native.socketPair('seqpacket');
  const stop = native.watchReadable(ours, () => undefined);
  native.closeDescriptor(ours);
  assert.equal(native.receiveMessage(theirs, 64, 1000).data.length, 0, 'the peer sees the end');
  stop();
  native.closeDescriptor(theirs);
  await turn();
});
