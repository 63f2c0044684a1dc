import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeId } from '../../src/base/ids.ts';
import { ChannelKernelCache } from '../../src/fuse/kernel-cache.ts';
import { encodeFields, text, u32, u64 } from './request-bytes.ts';

function recorded(act: (cache: ChannelKernelCache) => void): Buffer {
  const messages: Buffer[] = [];
  act(new ChannelKernelCache({ notify: (message) => void messages.push(Buffer.from(message)) }));
  return Buffer.concat(messages);
}

describe('ChannelKernelCache', () => {
  const parent = 0x12_3456_789a_bcde as NodeId;

  const invalidateParent = encodeFields([u32(40), u32(2), u64(0), u64(parent), u64(0), u64(0)]);

  it('writes NOTIFY_INVAL_ENTRY with the name and its NUL, and drops the listing of the parent', () => {
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
        Buffer.concat([expected, invalidateParent]),
      );
    }
  });

  it('writes NOTIFY_INVAL_INODE over all content: offset 0, length 0', () => {
    assert.deepEqual(
      recorded((cache) => cache.invalidateNode(parent)),
      invalidateParent,
    );
  });

  it('writes NOTIFY_PRUNE with the number of nodes in front, at most 512 at once', () => {
    const nodes = Array.from({ length: 513 }, (_, index) => (2 ** 48 + index) as NodeId);
    const message = (some: readonly NodeId[]): Buffer =>
      encodeFields([
        u32(16 + 16 + 8 * some.length),
        u32(9),
        u64(0),
        u32(some.length),
        u32(0),
        u64(0),
        ...some.map(u64),
      ]);
    assert.deepEqual(
      recorded((cache) => cache.prune(nodes)),
      Buffer.concat([message(nodes.slice(0, 512)), message(nodes.slice(512))]),
    );
  });

  it('writes NOTIFY_RESEND as a bare header', () => {
    assert.deepEqual(
      recorded((cache) => cache.requestResend()),
      encodeFields([u32(16), u32(7), u64(0)]),
    );
  });
});
