import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeConnection, fileSystem } from '../fake-connection.ts';
import { u32, u64 } from '../request-bytes.ts';

describe('FORGET and BATCH_FORGET', () => {
  it('pass node and count, and are not answered', () => {
    const served = fileSystem();
    const fake = new FakeConnection(served);
    fake.ask('FORGET', { nodeId: 2 ** 40, body: [u64(3)] });
    fake.ask('BATCH_FORGET', { body: [u32(2), u32(0), u64(7), u64(1), u64(8), u64(2 ** 33)] });
    assert.deepEqual(served.forgotten, [
      [2 ** 40, 3],
      [7, 1],
      [8, 2 ** 33],
    ]);
    assert.equal(fake.channel.replies.length, 0);
  });

  it('take what is there of a batch that is cut off', () => {
    const served = fileSystem();
    const fake = new FakeConnection(served);
    fake.ask('BATCH_FORGET', { body: [u32(0xffff_ffff), u32(0), u64(7), u64(1), u64(8)] });
    assert.deepEqual(served.forgotten, [[7, 1]]);
  });
});

describe('DESTROY', () => {
  it('is answered', () => {
    assert.equal(new FakeConnection(fileSystem()).ask('DESTROY')?.errno, 0);
  });
});
