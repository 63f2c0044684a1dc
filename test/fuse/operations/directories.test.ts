import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NodeId } from '../../../src/base/ids.ts';
import type { DirectoryEntry } from '../../../src/vfs/file-system.ts';
import { FakeConnection, fileSystem } from '../fake-connection.ts';
import { type Field, u32, u64 } from '../request-bytes.ts';

const { EIO, EINVAL, ENOSYS } = constants.errno;
const body = (cookie: number, sizeBytes: number): Field[] => [
  u64(3),
  u64(cookie),
  u32(sizeBytes),
  u32(0),
  u64(2n ** 63n),
  u32(0),
  u32(0),
];

interface Listed {
  readonly name: string;
  readonly nodeId: number;
  readonly cookie: number;
  readonly type: number;
}

function listed(bytes: Buffer): Listed[] {
  const entries: Listed[] = [];
  for (let at = 0; at < bytes.length; ) {
    const nameBytes = bytes.readUInt32LE(at + 16);
    entries.push({
      nodeId: Number(bytes.readBigUInt64LE(at)),
      cookie: Number(bytes.readBigUInt64LE(at + 8)),
      type: bytes.readUInt32LE(at + 20),
      name: bytes.toString('utf8', at + 24, at + 24 + nameBytes),
    });
    at += 24 + ((nameBytes + 7) & ~7);
  }
  return entries;
}

function directory(names: readonly string[]): FakeConnection {
  const entries: DirectoryEntry[] = names.map((name, index) => ({
    name,
    nodeId: (100 + index) as NodeId,
    type: 0o100000,
    cookie: (index + 1) * 10,
  }));
  return new FakeConnection(
    fileSystem({
      readDirectory: (_caller, _nodeId, _handle, cookie) => entries.filter((entry) => entry.cookie > cookie),
    }),
  );
}

describe('READDIR', () => {
  it('begins with . and .., which have no cookie of the file system', () => {
    const reply = directory(['a']).ask('READDIR', { nodeId: 9, body: body(0, 4096) });
    assert.deepEqual(listed(reply?.body ?? Buffer.alloc(0)), [
      { name: '.', nodeId: 9, cookie: 1, type: 4 },
      { name: '..', nodeId: 0xffff_ffff, cookie: 2, type: 4 },
      { name: 'a', nodeId: 100, cookie: 12, type: 8 },
    ]);
  });

  it('lists every name once, whatever the size of the buffer', () => {
    const names = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(names, fc.integer({ min: 320, max: 2000 }), (list, sizeBytes) => {
        const fake = directory(list);
        const seen: string[] = [];
        for (let cookie = 0; ; ) {
          const reply = fake.ask('READDIR', { body: body(cookie, sizeBytes) });
          assert.equal(reply?.errno, 0);
          assert.ok(reply.body.length <= sizeBytes);
          const part = listed(reply.body);
          if (part.length === 0) break;
          seen.push(...part.map(({ name }) => name));
          cookie = part.at(-1)?.cookie ?? 0;
        }
        assert.deepEqual(seen, ['.', '..', ...list]);
      }),
      { numRuns: 50 },
    );
  });

  it('answers EINVAL if not one name fits: an empty reply would be the end', () => {
    assert.equal(directory(['x'.repeat(50)]).ask('READDIR', { body: body(2, 72) })?.errno, EINVAL);
    assert.equal(directory([]).ask('READDIR', { body: body(0, 8) })?.errno, EINVAL);
    assert.equal(directory([]).ask('READDIR', { body: body(1, 8) })?.errno, EINVAL);
  });

  it('stops a lazy listing where the buffer ends, and closes it', () => {
    let yielded = 0;
    let closed = false;
    const served = fileSystem({
      *readDirectory() {
        try {
          for (;;) yield { name: `n${yielded++}`, nodeId: 5 as NodeId, type: 0o40000, cookie: yielded };
        } finally {
          closed = true;
        }
      },
    });
    const reply = new FakeConnection(served).ask('READDIR', { body: body(0, 1 << 20) });
    assert.ok(reply !== undefined && reply.body.length <= 64 * 1024);
    assert.ok(closed && yielded < 4000);
  });

  it('answers EIO if the listing throws half way', () => {
    const served = fileSystem({
      *readDirectory() {
        yield { name: 'a', nodeId: 5 as NodeId, type: 0o40000, cookie: 1 };
        throw new TypeError('half way');
      },
    });
    const reply = new FakeConnection(served).ask('READDIR', { body: body(0, 4096) });
    assert.deepEqual([reply?.errno, reply?.body.length], [EIO, 0]);
  });
});

describe('OPENDIR', () => {
  it('is left to the kernel where it offers that', () => {
    assert.equal(new FakeConnection(fileSystem()).ask('OPENDIR', { body: [u32(0), u32(0)] })?.errno, ENOSYS);
    assert.equal(
      new FakeConnection(fileSystem(), { profile: 'root' }).ask('OPENDIR', { body: [u32(0), u32(0)] })?.body.length,
      16,
    );
  });
});
