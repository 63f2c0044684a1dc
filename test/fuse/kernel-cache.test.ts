import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeId } from '../../src/base/ids.ts';
import { ChannelKernelCache } from '../../src/fuse/kernel-cache.ts';
import { encodeFields, text, u32, u64 } from './request-bytes.ts';

function recorded(act: (cache: ChannelKernelCache) => void): Buffer {
  const messages: Buffer[] = [];
  act(new ChannelKernelCache({ notify: (message) => void messages.push(Buffer.from(message)) }));
  assert.equal(messages.length, 1);
  return messages[0] as Buffer;
}

describe('ChannelKernelCache', () => {
  const parent = 0x12_3456_789a_bcde as NodeId;

  it('writes NOTIFY_INVAL_ENTRY with the name and its NUL', () => {
    for (const name of ['a', 'abc', 'abcd', 'grüße', 'x'.repeat(255)]) {
      const nameBytes = Buffer.byteLength(name);
      const expected = encodeFields([
        u32(33 + nameBytes),
        u32(3),
        u64(0),
        u64(parent),
        u32(nameBytes),
        u32(0),
        text(name),
      ]);
      assert.deepEqual(
        recorded((cache) => cache.invalidateEntry(parent, name)),
        expected,
      );
    }
  });

  it('writes NOTIFY_INVAL_INODE over all content: offset 0, length 0', () => {
    const expected = encodeFields([u32(40), u32(2), u64(0), u64(parent), u64(0), u64(0)]);
    assert.deepEqual(
      recorded((cache) => cache.invalidateNode(parent)),
      expected,
    );
  });

  it('writes NOTIFY_RESEND as a bare header', () => {
    assert.deepEqual(
      recorded((cache) => cache.requestResend()),
      encodeFields([u32(16), u32(7), u64(0)]),
    );
  });
});
