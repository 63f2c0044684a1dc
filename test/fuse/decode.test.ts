import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RequestReader } from '../../src/fuse/decode.ts';
import { WireError } from '../../src/fuse/wire-error.ts';
import { bytes, requestBytes, text, u32, u64 } from './request-bytes.ts';

const { EINVAL, ENAMETOOLONG, ENOENT } = constants.errno;

function reader(request: Uint8Array, bufferBytes = 8192): RequestReader {
  const buffer = new ArrayBuffer(bufferBytes);
  const view = Buffer.from(buffer).fill(0x41);
  view.set(request);
  const result = new RequestReader(buffer);
  assert.ok(result.begin(request.length));
  return result;
}

function refuses(errno: number, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof WireError && error.errno === errno);
}

describe('RequestReader', () => {
  it('takes the header apart', () => {
    const request = requestBytes({ opcode: 3, unique: 0x1234_5678_9abcn, nodeId: 2 ** 53 - 1, uid: 1, gid: 2, pid: 3 });
    const read = reader(request);
    read.checkHeader(request.length);
    assert.deepEqual([read.opcode, read.nodeId, read.uid, read.gid, read.pid], [3, Number.MAX_SAFE_INTEGER, 1, 2, 3]);
    assert.deepEqual([read.uniqueHigh, read.uniqueLow, read.resent], [0x1234, 0x5678_9abc, false]);
  });

  it('keeps all 64 bits of the unique and knows the mark of a request sent again', () => {
    const read = reader(requestBytes({ opcode: 3, unique: 0xffff_ffff_ffff_fffen }));
    assert.deepEqual([read.uniqueHigh, read.uniqueLow, read.resent], [0xffff_ffff, 0xffff_fffe, true]);
    assert.equal(reader(requestBytes({ opcode: 3, unique: 0x7fff_ffff_ffff_fffen })).resent, false);
  });

  it('has no header in a message shorter than one', () => {
    const read = new RequestReader(new ArrayBuffer(8192));
    for (const length of [0, 1, 39, 8193]) assert.equal(read.begin(length), false);
  });

  it('refuses a length that is not that of the message, and a node id above 2^53', () => {
    const request = requestBytes({ opcode: 3, body: [u32(1)] });
    refuses(EINVAL, () => reader(request).checkHeader(request.length - 1));
    for (const nodeId of [2n ** 53n, 2n ** 64n - 1n]) {
      const foreign = requestBytes({ opcode: 3, nodeId });
      refuses(EINVAL, () => reader(foreign).checkHeader(foreign.length));
    }
  });

  it('leaves extensions out of the body', () => {
    const request = requestBytes({
      opcode: 9,
      body: [u32(1), u32(2), text('abc'), bytes(Buffer.alloc(16, 7)), u64(0)],
    });
    request.writeUInt16LE(3, 36);
    const read = reader(request);
    read.checkHeader(request.length);
    assert.equal(read.remainingBytes, 12);
    request.writeUInt16LE(100, 36);
    refuses(EINVAL, () => reader(request).checkHeader(request.length));
  });

  it('reads numbers, names and bytes in order', () => {
    const read = reader(
      requestBytes({
        opcode: 1,
        body: [u64(2 ** 40 + 5), u32(9), u32(0), text('grüße'), text(''), bytes(Buffer.from([1, 2, 3]))],
      }),
    );
    assert.equal(read.u64(), 2 ** 40 + 5);
    assert.equal(read.u32(), 9);
    read.skip(4);
    assert.equal(read.name(), 'grüße');
    assert.equal(read.text(), '');
    assert.deepEqual([...read.bytes(3)], [1, 2, 3]);
    assert.equal(read.remainingBytes, 0);
  });

  it('refuses to read beyond the body, whatever lies there', () => {
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1, body: [bytes(Buffer.alloc(3))] })).u32());
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1, body: [u32(1)] })).u64());
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1, body: [u32(1)] })).bytes(5));
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1, body: [bytes(Buffer.from('no end'))] })).name());
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1 }), 40).name());
    refuses(EINVAL, () => reader(requestBytes({ opcode: 1, body: [u64(2n ** 53n)] })).u64());
  });

  it('knows no name that is not UTF-8, and tells it from the replacement character itself', () => {
    refuses(ENOENT, () =>
      reader(requestBytes({ opcode: 1, body: [bytes(Buffer.from([0x61, 0xff, 0x62, 0]))] })).name(),
    );
    assert.equal(reader(requestBytes({ opcode: 1, body: [text('a\uFFFDb')] })).name(), 'a\uFFFDb');
  });

  it('limits names in bytes, not links', () => {
    assert.equal(reader(requestBytes({ opcode: 1, body: [text('ü'.repeat(127))] })).name().length, 127);
    refuses(ENAMETOOLONG, () => reader(requestBytes({ opcode: 1, body: [text('ü'.repeat(128))] })).name());
    assert.equal(reader(requestBytes({ opcode: 1, body: [text('x'.repeat(4000))] })).text().length, 4000);
  });

  it('reads back every name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (name) => {
        fc.pre(!name.includes('\0') && Buffer.byteLength(name) <= 255);
        assert.equal(reader(requestBytes({ opcode: 1, body: [text(name)] })).name(), name);
      }),
    );
  });
});
