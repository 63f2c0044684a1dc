import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { FOPEN, WRITE_CACHE } from '../../../src/fuse/abi.ts';
import { FakeConnection, fileSystem } from '../fake-connection.ts';
import { bytes, type Field, u32, u64 } from '../request-bytes.ts';

const { EINVAL, EIO, EISDIR, ENOENT, ENOSYS, EROFS } = constants.errno;
/** A lock owner is a scrambled pointer: any 64 bits. */
const OWNER = u64(2n ** 64n - 3n);
const readBody = (offset: number, sizeBytes: number): Field[] => [
  u64(5),
  u64(offset),
  u32(sizeBytes),
  u32(0),
  OWNER,
  u32(0),
  u32(0),
];
const writeBody = (data: string, flags = 0): Field[] => [
  u64(5),
  u64(70),
  u32(data.length),
  u32(flags),
  OWNER,
  u32(0),
  u32(0),
  bytes(Buffer.from(data)),
];

describe('OPEN', () => {
  it('passes flags and answers handle and open flags', () => {
    const fake = new FakeConnection(
      fileSystem({ open: (_caller, _nodeId, flags) => ({ handle: 2 ** 40 + flags, flags: FOPEN.DIRECT_IO }) }),
    );
    const body = fake.ask('OPEN', { body: [u32(0o100000), u32(0)] })?.body;
    assert.deepEqual([body?.readBigUInt64LE(0), body?.readUInt32LE(8)], [2n ** 40n + 0o100000n, 1]);
  });

  it('is left to the kernel where it offers that, and succeeds where it insists on asking', () => {
    const body = [u32(0), u32(0)];
    assert.equal(new FakeConnection(fileSystem()).ask('OPEN', { body })?.errno, ENOSYS);
    assert.equal(new FakeConnection(fileSystem(), { offered: [] }).ask('OPEN', { body })?.body.length, 16);
    assert.equal(new FakeConnection(fileSystem(), { profile: 'root' }).ask('OPEN', { body })?.errno, 0);
  });

  it('releases a handle the kernel did not learn of', () => {
    const released: number[] = [];
    const fake = new FakeConnection(
      fileSystem({ open: () => ({ handle: 8, flags: 0 }), release: (_nodeId, handle) => void released.push(handle) }),
    );
    fake.channel.sendErrno = ENOENT;
    fake.ask('OPEN', { body: [u32(0), u32(0)] });
    assert.deepEqual(released, [8]);
  });
});

describe('RELEASE', () => {
  it('passes the handle, and is answered also where nothing is released', () => {
    const released: unknown[] = [];
    const body = [u64(2 ** 40), u32(0), u32(0), OWNER];
    new FakeConnection(fileSystem({ release: (...call) => void released.push(call) })).ask('RELEASE', {
      nodeId: 4,
      body,
    });
    assert.deepEqual(released, [[4, 2 ** 40, false]]);
    assert.equal(new FakeConnection(fileSystem()).ask('RELEASE', { body })?.errno, 0);
  });
});

describe('READ', () => {
  const content = Buffer.from('0123456789');

  it('answers the bytes asked for, at once or later', async () => {
    const now = new FakeConnection(
      fileSystem({ read: (_caller, _nodeId, _handle, offset, size) => content.subarray(offset, offset + size) }),
    );
    assert.equal(now.ask('READ', { body: readBody(2, 4) })?.body.toString(), '2345');
    assert.equal(now.ask('READ', { body: readBody(8, 100) })?.body.toString(), '89');
    assert.equal(now.ask('READ', { body: readBody(2 ** 50, 100) })?.body.length, 0);
    const later = new FakeConnection(
      fileSystem({ read: async (_caller, _nodeId, handle) => Buffer.from(`handle ${handle}`) }),
    );
    later.ask('READ', { body: readBody(0, 100) });
    await later.channel.replyCount(1);
    assert.equal(later.channel.replies[0]?.body.toString(), 'handle 5');
  });

  it('answers EIO if the file system returns more than was asked for', () => {
    const fake = new FakeConnection(fileSystem({ read: () => content }));
    assert.equal(fake.ask('READ', { body: readBody(0, 9) })?.errno, EIO);
  });

  it('is refused where nothing can be read, or cut off', () => {
    assert.equal(new FakeConnection(fileSystem()).ask('READ', { body: readBody(0, 9) })?.errno, EISDIR);
    assert.equal(
      new FakeConnection(fileSystem({ read: () => content })).ask('READ', { body: [u64(5), u64(0)] })?.errno,
      EINVAL,
    );
  });
});

describe('WRITE', () => {
  it('passes handle, offset and data', () => {
    const writes: unknown[] = [];
    const fake = new FakeConnection(
      fileSystem({
        write: (_caller, nodeId, handle, offset, data) => {
          writes.push([nodeId, handle, offset, Buffer.from(data).toString()]);
          return data.length;
        },
      }),
    );
    assert.equal(fake.ask('WRITE', { nodeId: 3, body: writeBody('new content') })?.body.readUInt32LE(0), 11);
    assert.deepEqual(writes, [[3, 5, 70, 'new content']]);
    assert.equal(fake.ask('WRITE', { body: writeBody('new content').slice(0, 7) })?.errno, EINVAL);
    assert.equal(fake.ask('FALLOCATE')?.errno, ENOSYS);
  });

  it('is refused where nothing can be written, and drops what a mapping changed in the page cache', () => {
    const fake = new FakeConnection(fileSystem());
    assert.equal(fake.ask('WRITE', { nodeId: 3, body: writeBody('x') })?.errno, EROFS);
    assert.equal(fake.channel.notifications.length, 0);
    assert.equal(fake.ask('WRITE', { nodeId: 3, body: writeBody('x', WRITE_CACHE) })?.errno, EROFS);
    assert.deepEqual(
      fake.channel.notifications.map((message) => [message.readInt32LE(4), message.readBigUInt64LE(16)]),
      [[2, 3n]],
    );
  });
});
