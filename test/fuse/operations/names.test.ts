import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { FileSystem } from '../../../src/vfs/file-system.ts';
import { ATTRIBUTES, FakeConnection, fileSystem } from '../fake-connection.ts';
import { bytes, text, u32, u64 } from '../request-bytes.ts';

const { EINVAL, ENOENT, EROFS } = constants.errno;
const ENTRY = { attributes: ATTRIBUTES, entryTimeoutSeconds: 1, attributeTimeoutSeconds: 1 };

function recording(): { calls: unknown[][]; fake: FakeConnection } {
  const calls: unknown[][] = [];
  const served: Partial<FileSystem> = {
    lookup: (_caller, ...rest) => {
      calls.push(['lookup', ...rest]);
      return ENTRY;
    },
    makeDirectory: (_caller, ...rest) => {
      calls.push(['makeDirectory', ...rest]);
      return ENTRY;
    },
    makeFile: (_caller, ...rest) => {
      calls.push(['makeFile', ...rest]);
      return ENTRY;
    },
    makeSymlink: (_caller, ...rest) => {
      calls.push(['makeSymlink', ...rest]);
      return ENTRY;
    },
    unlink: (_caller, ...rest) => void calls.push(['unlink', ...rest]),
    removeDirectory: (_caller, ...rest) => void calls.push(['removeDirectory', ...rest]),
    rename: (_caller, ...rest) => void calls.push(['rename', ...rest.slice(0, 5)]),
  };
  return { calls, fake: new FakeConnection(fileSystem(served)) };
}

describe('operations on names', () => {
  it('pass parent, names, modes and flags', () => {
    const { calls, fake } = recording();
    const nodeId = 2 ** 40;
    assert.equal(fake.ask('LOOKUP', { nodeId, body: [text('größe')] })?.body.length, 128);
    assert.equal(fake.ask('MKDIR', { nodeId, body: [u32(0o40755), u32(0o22), text('d')] })?.body.length, 128);
    assert.equal(fake.ask('SYMLINK', { nodeId, body: [text('l'), text('../to/somewhere')] })?.body.length, 128);
    assert.equal(fake.ask('UNLINK', { nodeId, body: [text('u')] })?.body.length, 0);
    assert.equal(fake.ask('RMDIR', { nodeId, body: [text('r')] })?.errno, 0);
    assert.equal(fake.ask('RENAME', { nodeId, body: [u64(7), text('a'), text('b')] })?.errno, 0);
    assert.equal(fake.ask('RENAME2', { nodeId, body: [u64(7), u32(2), u32(0), text('a'), text('b')] })?.errno, 0);
    assert.deepEqual(calls, [
      ['lookup', nodeId, 'größe'],
      ['makeDirectory', nodeId, 'd', 0o755],
      ['makeSymlink', nodeId, 'l', '../to/somewhere'],
      ['unlink', nodeId, 'u'],
      ['removeDirectory', nodeId, 'r'],
      ['rename', nodeId, 'a', 7, 'b', 0],
      ['rename', nodeId, 'a', 7, 'b', 2],
    ]);
  });

  it('answer a rename when it is decided, once, and go on with it before the next request', async () => {
    const seen: string[] = [];
    const replies = (): number => fake.channel.replies.length;
    const fake: FakeConnection = new FakeConnection(
      fileSystem({
        rename: (_caller, _parent, name, _newParent, newName, _flags, onDecided) => {
          seen.push(`${name}: ${replies()}`);
          onDecided?.();
          seen.push(`decided: ${replies()}`);
          if (newName === 'fails') throw new DunnageError('IO', 'the disk is broken');
          return newName === 'later' ? Promise.resolve() : undefined;
        },
      }),
    );
    for (const [index, newName] of ['now', 'later', 'fails'].entries()) {
      assert.equal(fake.ask('RENAME', { nodeId: 3, body: [u64(3), text('a'), text(newName)] })?.errno, 0);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(seen.splice(0), [`a: ${index}`, `decided: ${index + 1}`]);
    }
    assert.equal(replies(), 3);
    const [failure] = fake.lines.filter(({ level }) => level === 'error');
    assert.equal(failure?.message, 'a request failed after it was answered');
    assert.deepEqual(failure.fields, { connection: 'test', operation: 'RENAME', node: 3, code: 'IO' });
  });

  it('make regular files of MKNOD, and nothing else', () => {
    const { calls, fake } = recording();
    const mknod = (mode: number): number | undefined =>
      fake.ask('MKNOD', { nodeId: 5, body: [u32(mode), u32(0), u32(0o22), u32(0), text('f')] })?.errno;
    assert.equal(mknod(0o100640), 0);
    for (const type of [0o010000, 0o020000, 0o060000, 0o140000]) assert.equal(mknod(type | 0o600), EROFS);
    assert.deepEqual(calls, [['makeFile', 5, 'f', 0o640]]);
    const without = new FakeConnection(fileSystem({}));
    const body = [u32(0o100640), u32(0), u32(0), u32(0), text('f')];
    assert.equal(without.ask('MKNOD', { nodeId: 5, body })?.errno, EROFS);
  });

  it('answer EINVAL to what is cut off, and never call', () => {
    const { calls, fake } = recording();
    assert.equal(fake.ask('LOOKUP')?.errno, EINVAL);
    assert.equal(fake.ask('LOOKUP', { body: [bytes(Buffer.from('abc'))] })?.errno, EINVAL);
    assert.equal(fake.ask('MKDIR', { body: [u32(0o755)] })?.errno, EINVAL);
    assert.equal(fake.ask('SYMLINK', { body: [text('name only')] })?.errno, EINVAL);
    assert.equal(fake.ask('RENAME', { body: [u64(7), text('a')] })?.errno, EINVAL);
    assert.equal(fake.ask('RENAME', { body: [u64(2n ** 60n), text('a'), text('b')] })?.errno, EINVAL);
    assert.deepEqual(calls, []);
  });

  it('know no name that is not UTF-8', () => {
    const { calls, fake } = recording();
    assert.equal(fake.ask('LOOKUP', { body: [bytes(Buffer.from([0xc0, 0]))] })?.errno, ENOENT);
    assert.deepEqual(calls, []);
  });

  it('refuse with EROFS what the file system does not define', () => {
    const fake = new FakeConnection(fileSystem());
    assert.equal(fake.ask('RENAME', { body: [u64(7), text('a'), text('b')] })?.errno, EROFS);
    assert.equal(fake.ask('RENAME2', { body: [u64(7), u32(0), u32(0), text('a'), text('b')] })?.errno, EROFS);
  });

  it('answer a negative entry as one', () => {
    const fake = new FakeConnection(
      fileSystem({ lookup: () => ({ attributes: undefined, entryTimeoutSeconds: 5, attributeTimeoutSeconds: 0 }) }),
    );
    const reply = fake.ask('LOOKUP', { body: [text('none')] });
    assert.deepEqual([reply?.errno, reply?.body.readBigUInt64LE(0), reply?.body.readBigUInt64LE(16)], [0, 0n, 5n]);
  });
});
