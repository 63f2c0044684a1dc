import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  encodeAttributesReply,
  encodeEntry,
  encodeOpen,
  encodeSize,
  encodeStatus,
  ReplyWriter,
} from '../../src/fuse/encode.ts';
import { FOREVER_SECONDS } from '../../src/vfs/file-system.ts';
import { ATTRIBUTES } from './fake-connection.ts';
import { encodeFields, u32, u64 } from './request-bytes.ts';

function encoded(act: (reply: ReplyWriter) => void, capacity = 4096): Buffer {
  const buffer = new ArrayBuffer(capacity + 16);
  Buffer.from(buffer).fill(0xee);
  const reply = new ReplyWriter(buffer);
  reply.begin();
  act(reply);
  const lengthBytes = reply.finish(0x8000_0002, 0xdead_beef, 0);
  const bytes = Buffer.from(buffer, 0, lengthBytes);
  assert.deepEqual(
    bytes.subarray(0, 16),
    encodeFields([u32(lengthBytes + (reply.data?.length ?? 0)), u32(0), u64(0xdead_beef_8000_0002n)]),
  );
  return bytes.subarray(16);
}

const { mtime } = ATTRIBUTES;
const ATTRIBUTE_FIELDS = [
  u64(ATTRIBUTES.nodeId),
  u64(ATTRIBUTES.sizeBytes),
  u64(ATTRIBUTES.blocks),
  u64(mtime.seconds),
  u64(mtime.seconds),
  u64(mtime.seconds),
  u32(mtime.nanoseconds),
  u32(mtime.nanoseconds),
  u32(mtime.nanoseconds),
  u32(ATTRIBUTES.mode),
  u32(ATTRIBUTES.nlink),
  u32(ATTRIBUTES.uid),
  u32(ATTRIBUTES.gid),
  u32(0),
  u32(4096),
  u32(0),
];

describe('replies', () => {
  it('fuse_attr_out: 104 bytes', () => {
    const bytes = encoded((reply) =>
      encodeAttributesReply(reply, { attributes: ATTRIBUTES, attributeTimeoutSeconds: 1.25 }),
    );
    assert.deepEqual(bytes, encodeFields([u64(1), u32(250_000_000), u32(0), ...ATTRIBUTE_FIELDS]));
    assert.equal(bytes.length, 104);
  });

  it('fuse_entry_out: 128 bytes', () => {
    const bytes = encoded((reply) =>
      encodeEntry(reply, {
        attributes: ATTRIBUTES,
        entryTimeoutSeconds: FOREVER_SECONDS,
        attributeTimeoutSeconds: 0.5,
      }),
    );
    const head = [u64(ATTRIBUTES.nodeId), u64(0), u64(FOREVER_SECONDS), u64(0), u32(0), u32(500_000_000)];
    assert.deepEqual(bytes, encodeFields([...head, ...ATTRIBUTE_FIELDS]));
    assert.equal(bytes.length, 128);
  });

  it('a negative entry has node id 0 and no rest of earlier replies', () => {
    const bytes = encoded((reply) =>
      encodeEntry(reply, { attributes: undefined, entryTimeoutSeconds: 3, attributeTimeoutSeconds: 0 }),
    );
    assert.deepEqual(bytes, Buffer.concat([encodeFields([u64(0), u64(0), u64(3), u64(0), u64(0)]), Buffer.alloc(88)]));
  });

  it('times before the epoch stay negative', () => {
    const attributes = { ...ATTRIBUTES, mtime: { seconds: -1, nanoseconds: 0 } };
    const bytes = encoded((reply) => encodeAttributesReply(reply, { attributes, attributeTimeoutSeconds: 0 }));
    assert.equal(bytes.readBigInt64LE(16 + 24), -1n);
  });

  it('fuse_statfs_out: 80 bytes', () => {
    const status = {
      blockSizeBytes: 512,
      blocks: 2 ** 40,
      blocksFree: 3,
      blocksAvailable: 2,
      files: 10,
      filesFree: 9,
      nameBytesMax: 255,
    };
    const bytes = encoded((reply) => encodeStatus(reply, status));
    const fields = [u64(2 ** 40), u64(3), u64(2), u64(10), u64(9), u32(512), u32(255), u32(512)];
    assert.deepEqual(bytes, Buffer.concat([encodeFields(fields), Buffer.alloc(28)]));
    assert.equal(bytes.length, 80);
  });

  it('fuse_open_out and fuse_write_out', () => {
    assert.deepEqual(
      encoded((reply) => encodeOpen(reply, { handle: 2 ** 33, flags: 5 })),
      encodeFields([u64(2 ** 33), u32(5), u32(0)]),
    );
    assert.deepEqual(
      encoded((reply) => encodeSize(reply, 77)),
      encodeFields([u32(77), u32(0)]),
    );
  });

  it('an error is a bare header, whatever was written before', () => {
    const buffer = new ArrayBuffer(4096);
    const reply = new ReplyWriter(buffer);
    reply.begin();
    encodeSize(reply, 1);
    reply.data = Buffer.from('data');
    assert.equal(reply.finish(4, 0, 2), 16);
    assert.equal(reply.data, undefined);
    assert.deepEqual(Buffer.from(buffer, 0, 16), encodeFields([u32(16), u32(0x1_0000_0000 - 2), u64(4)]));
  });

  it('data beside the buffer counts in the length', () => {
    const reply = new ReplyWriter(new ArrayBuffer(4096));
    reply.begin();
    reply.data = Buffer.alloc(1000);
    assert.equal(reply.finish(2, 0, 0), 16);
  });
});

describe('dirent', () => {
  it('is laid out and padded as the kernel walks it, and fills its limit and no more', () => {
    const names = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), { maxLength: 40 });
    fc.assert(
      fc.property(names, fc.integer({ min: 0, max: 1024 }), (list, limit) => {
        const written: string[] = [];
        const bytes = encoded((reply) => {
          for (const [index, name] of list.entries()) {
            if (!reply.dirent(1000 + index, index + 1, 0o100000, name, limit)) break;
            written.push(name);
          }
        });
        assert.ok(bytes.length <= limit && bytes.length % 8 === 0);
        let at = 0;
        for (const [index, name] of written.entries()) {
          const nameBytes = Buffer.from(name);
          assert.deepEqual(
            bytes.subarray(at, at + 24),
            encodeFields([u64(1000 + index), u64(index + 1), u32(nameBytes.length), u32(8)]),
          );
          const padded = (nameBytes.length + 7) & ~7;
          const shown = bytes.subarray(at + 24, at + 24 + padded);
          assert.deepEqual(shown, Buffer.concat([nameBytes, Buffer.alloc(padded - nameBytes.length)]));
          at += 24 + padded;
        }
        assert.equal(at, bytes.length);
        const next = list[written.length];
        if (next !== undefined)
          assert.ok(bytes.length + 24 + ((Buffer.byteLength(next) + 7) & ~7) > limit, 'there was room');
      }),
    );
  });
});
