/** Whatever bytes arrive from the device: nothing is thrown, and a request is answered once or not at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NodeId } from '../../src/base/ids.ts';
import { OPCODE } from '../../src/fuse/abi.ts';
import type { FileSystem } from '../../src/vfs/file-system.ts';
import { ATTRIBUTES, FakeConnection, fileSystem } from '../fuse/fake-connection.ts';
import { bytes, requestBytes } from '../fuse/request-bytes.ts';

const ENTRY = { attributes: ATTRIBUTES, entryTimeoutSeconds: 1, attributeTimeoutSeconds: 1 };
const REPLY = { attributes: ATTRIBUTES, attributeTimeoutSeconds: 1 };
const UNANSWERED: readonly number[] = [OPCODE.FORGET, OPCODE.BATCH_FORGET, OPCODE.INTERRUPT, OPCODE.NOTIFY_REPLY];

/** Defines everything and checks what it is given. */
function checking(): FileSystem {
  const check = (...values: unknown[]): void => {
    for (const value of values) {
      if (typeof value === 'number') assert.ok(Number.isSafeInteger(value) && value >= 0, `${value}`);
      if (typeof value === 'string') assert.ok(!value.includes('\0'));
    }
  };
  const made =
    <T>(value: T): ((...values: unknown[]) => T) =>
    (...values) => {
      check(...values);
      return value;
    };
  return {
    ...fileSystem(),
    lookup: made(ENTRY),
    forget: made(undefined),
    getAttributes: made(REPLY),
    readDirectory: made([{ name: 'n', nodeId: 4 as NodeId, type: 0o40000, cookie: 3 }]),
    statFileSystem: made({
      blockSizeBytes: 1,
      blocks: 1,
      blocksFree: 1,
      blocksAvailable: 1,
      files: 1,
      filesFree: 1,
      nameBytesMax: 1,
    }),
    readLink: made('target'),
    open: made({ handle: 1, flags: 0 }),
    release: made(undefined),
    read: made(new Uint8Array()),
    write: made(1),
    setAttributes: made(REPLY),
    makeDirectory: made(ENTRY),
    makeSymlink: made(ENTRY),
    unlink: made(undefined),
    removeDirectory: made(undefined),
    rename: made(undefined),
    getExtendedAttribute: made(new Uint8Array()),
    listExtendedAttributes: made(['user.a']),
    access: made(undefined),
  };
}

describe('requests of any bytes', () => {
  it('bare bytes', () => {
    const fake = new FakeConnection(checking());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (request) => {
        const before = fake.channel.replies.length;
        fake.channel.receive(request);
        assert.ok(fake.channel.replies.length - before <= 1);
      }),
      { numRuns: 3_000 },
    );
  });

  for (const [what, served] of [
    ['a file system that defines everything', checking()],
    ['one that defines the least', fileSystem()],
  ] as const) {
    it(`a header with any body, ${what}`, () => {
      const fake = new FakeConnection(served);
      const opcodes = fc.oneof(fc.constantFrom(...Object.values(OPCODE)), fc.integer({ min: 0, max: 60 }));
      const uniques = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
      const nodes = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
      const bodies = fc.uint8Array({ maxLength: 300 });
      fc.assert(
        fc.property(opcodes, uniques, nodes, bodies, (opcode, unique, nodeId, body) => {
          const before = fake.channel.replies.length;
          fake.channel.receive(requestBytes({ opcode, unique, nodeId, body: [bytes(body)] }));
          const replies = fake.channel.replies.slice(before);
          assert.equal(replies.length, UNANSWERED.includes(opcode) ? 0 : 1);
          if (replies[0] !== undefined) {
            assert.equal(replies[0].unique, unique);
            assert.ok(replies[0].errno >= 0 && replies[0].errno < 512);
            if (replies[0].errno > 0) assert.equal(replies[0].body.length, 0);
          }
        }),
        { numRuns: 5_000 },
      );
      assert.equal(fake.connection.statistics().exceptions, 0);
    });
  }

  it('notices a handler that throws: the canary', () => {
    const fake = new FakeConnection({
      ...checking(),
      statFileSystem: () => {
        throw new TypeError('canary');
      },
    });
    fake.channel.receive(requestBytes({ opcode: OPCODE.STATFS }));
    assert.equal(fake.connection.statistics().exceptions, 1);
  });
});
