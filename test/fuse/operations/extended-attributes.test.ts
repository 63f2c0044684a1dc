import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { FakeConnection, fileSystem } from '../fake-connection.ts';
import { text, u32 } from '../request-bytes.ts';

const { ENODATA, ERANGE } = constants.errno;

describe('extended attributes', () => {
  const fake = new FakeConnection(
    fileSystem({
      getExtendedAttribute: (_caller, nodeId, name) => {
        const value = name === 'user.a' ? Buffer.from('value') : undefined;
        return nodeId === 1 ? value : Promise.resolve(value);
      },
      listExtendedAttributes: async (_caller, nodeId) => (nodeId === 1 ? ['user.a', 'user.b'] : []),
    }),
  );

  it('tell their size first, then their value, and ERANGE if that does not fit', () => {
    assert.equal(fake.ask('GETXATTR', { body: [u32(0), u32(0), text('user.a')] })?.body.readUInt32LE(0), 5);
    assert.equal(fake.ask('GETXATTR', { body: [u32(5), u32(0), text('user.a')] })?.body.toString(), 'value');
    assert.equal(fake.ask('GETXATTR', { body: [u32(4), u32(0), text('user.a')] })?.errno, ERANGE);
    assert.equal(fake.ask('GETXATTR', { body: [u32(4), u32(0), text('user.c')] })?.errno, ENODATA);
  });

  it('are answered the same by a file system that takes its time', async () => {
    fake.channel.replies.length = 0;
    fake.ask('GETXATTR', { nodeId: 2, body: [u32(5), u32(0), text('user.a')] });
    fake.ask('GETXATTR', { nodeId: 2, body: [u32(5), u32(0), text('user.c')] });
    await fake.channel.replyCount(2);
    const [value, none] = fake.channel.replies;
    assert.deepEqual([value?.body.toString(), none?.errno], ['value', ENODATA]);
  });

  it('are listed with a NUL behind each name', async () => {
    fake.channel.replies.length = 0;
    fake.ask('LISTXATTR', { body: [u32(0), u32(0)] });
    fake.ask('LISTXATTR', { body: [u32(100), u32(0)] });
    fake.ask('LISTXATTR', { body: [u32(13), u32(0)] });
    fake.ask('LISTXATTR', { nodeId: 2, body: [u32(100), u32(0)] });
    await fake.channel.replyCount(4);
    const [size, names, range, none] = fake.channel.replies;
    assert.equal(size?.body.readUInt32LE(0), 14);
    assert.equal(names?.body.toString(), 'user.a\0user.b\0');
    assert.equal(range?.errno, ERANGE);
    assert.deepEqual([none?.errno, none?.body.length], [0, 0]);
  });
});
