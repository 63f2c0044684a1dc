import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeNames,
  decodeReply,
  decodeTargets,
  encodeRequest,
  FLAGS,
  HEADER_BYTES,
} from '../../../src/thinpool/device-mapper/wire.ts';

/** As the kernel answers: the header of the request with its numbers, and data behind it. */
function reply(data: Buffer, targetCount: number, change: (header: Buffer) => void = () => undefined): Buffer {
  const header = encodeRequest({ name: 'pool-a', uuid: 'DUNNAGE-pool-a' }).subarray(0, HEADER_BYTES);
  const bytes = Buffer.concat([header, data]);
  bytes.writeUInt32LE(bytes.length, 12);
  bytes.writeUInt32LE(targetCount, 20);
  change(bytes);
  return bytes;
}

/** A target of a reply: unlike in a request, `next` counts from the first. */
function statusTarget(start: number, length: number, type: string, text: string, next: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeBigUInt64LE(BigInt(start), 0);
  bytes.writeBigUInt64LE(BigInt(length), 8);
  bytes.writeUInt32LE(next, 20);
  bytes.write(type, 24);
  bytes.write(text, 40);
  return bytes;
}

describe('a request', () => {
  it('is a header of 312 bytes that says how long it is', () => {
    const bytes = encodeRequest({ name: 'pool', uuid: 'id', flags: FLAGS.suspend });
    assert.equal(bytes.length, 312);
    assert.deepEqual(
      [0, 4, 8, 12, 16, 20, 28, 32].map((at) => bytes.readUInt32LE(at)),
      [4, 27, 0, 312, 312, 0, 2, 0],
    );
    assert.equal(bytes.toString('utf8', 48, 53), 'pool\0');
    assert.equal(bytes.toString('utf8', 176, 179), 'id\0');
    assert.equal(encodeRequest({ name: 'pool', replyBytes: 1000 }).readUInt32LE(12), 1312);
  });

  it('has targets at multiples of 8, each saying how far it is to the next', () => {
    const target = { startSectors: 0, lengthSectors: 2048, type: 'thin', parameters: '254:0 7' };
    const bytes = encodeRequest({ name: 'a', targets: [target, { ...target, startSectors: 2048 }] });
    assert.equal(bytes.readUInt32LE(20), 2);
    assert.equal(bytes.length, 312 + 48 + 48);
    assert.equal(bytes.readBigUInt64LE(312 + 8), 2048n);
    assert.equal(bytes.readUInt32LE(312 + 20), 48);
    assert.equal(bytes.toString('utf8', 312 + 24, 312 + 29), 'thin\0');
    assert.equal(bytes.toString('utf8', 312 + 40, 312 + 48), '254:0 7\0');
    assert.equal(bytes.readBigUInt64LE(312 + 48), 2048n);
  });

  it('has a message behind a sector number', () => {
    const bytes = encodeRequest({ name: 'a', message: 'create_thin 5' });
    assert.equal(bytes.readBigUInt64LE(312), 0n);
    assert.equal(bytes.toString('utf8', 320), 'create_thin 5\0');
  });

  it('refuses names for which the kernel has no room', () => {
    assert.throws(() => encodeRequest({ name: 'x'.repeat(128) }), { name: 'AssertionError' });
    assert.throws(() => encodeRequest({ uuid: 'x'.repeat(129) }), { name: 'AssertionError' });
  });
});

describe('a reply', () => {
  it('tells flags, users and numbers', () => {
    const { flags, openCount, major, minor, name, uuid } = decodeReply(
      reply(Buffer.alloc(0), 0, (header) => {
        header.writeInt32LE(3, 24);
        header.writeUInt32LE(FLAGS.activePresent, 28);
        // Major 254, minor 0x12345.
        header.writeBigUInt64LE(BigInt((0x12345 & 0xff) | (254 << 8) | ((0x12345 & ~0xff) << 12)), 40);
      }),
    );
    assert.deepEqual([flags, openCount, major, minor, name, uuid], [0x20, 3, 254, 0x12345, 'pool-a', 'DUNNAGE-pool-a']);
  });

  it('has targets, each saying where the next is', () => {
    const data = Buffer.concat([statusTarget(0, 10, 'thin', '254:0 1', 64), statusTarget(10, 5, 'error', '', 128)]);
    assert.deepEqual(decodeTargets(decodeReply(reply(data, 2))), [
      { startSectors: 0, lengthSectors: 10, type: 'thin', parameters: '254:0 1' },
      { startSectors: 10, lengthSectors: 5, type: 'error', parameters: '' },
    ]);
    assert.deepEqual(decodeTargets(decodeReply(reply(Buffer.alloc(0), 0))), []);
  });

  it('has names, each saying how far it is to the next', () => {
    const row = (name: string, next: number): Buffer => {
      const bytes = Buffer.alloc(32);
      bytes.writeBigUInt64LE(5n, 0);
      bytes.writeUInt32LE(next, 8);
      bytes.write(name, 12);
      return bytes;
    };
    assert.deepEqual(decodeNames(decodeReply(reply(Buffer.concat([row('a', 32), row('pool-b', 0)]), 0))), [
      'a',
      'pool-b',
    ]);
    assert.deepEqual(decodeNames(decodeReply(reply(Buffer.alloc(16), 0))), []);
    assert.deepEqual(decodeNames(decodeReply(reply(Buffer.alloc(0), 0))), []);
  });
});
