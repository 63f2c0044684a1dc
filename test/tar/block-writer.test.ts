import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { type PlainHeader, writeHeaderBlock } from '../../src/tar/block-writer.ts';
import { readHeaderBlock } from '../../src/tar/header-block.ts';

const header: fc.Arbitrary<PlainHeader> = fc.record(
  {
    type: fc.constantFrom('file', 'directory', 'fifo'),
    name: fc.stringMatching(/^[a-z./]{1,99}[a-z]$/),
    linkName: fc.constant(''),
    mode: fc.nat(0o7777),
    userId: fc.nat(0o777777),
    groupId: fc.nat(0o777777),
    sizeBytes: fc.constant(0),
    seconds: fc.nat(0o17777777777),
    userName: fc.stringMatching(/^[a-z]{0,31}$/),
    groupName: fc.stringMatching(/^[a-z]{0,31}$/),
    deviceMajor: fc.nat(0o777777),
    deviceMinor: fc.nat(0o777777),
  },
  { noNullPrototype: true },
);

test('what is written is read again, by us and by tar-stream, over whatever was there before', async () => {
  await fc.assert(
    fc.asyncProperty(header, async (given) => {
      const archive = Buffer.alloc(512 + 1024);
      archive.fill(0xff, 0, 512);
      writeHeaderBlock(archive, 0, given);
      const read = readHeaderBlock(archive.subarray(0, 512));
      assert.ok(typeof read !== 'string', String(read));
      const { mode, userId, groupId, userName, groupName, deviceMajor, deviceMinor, name } = read;
      const { type: _type, linkName: _linkName, sizeBytes: _size, seconds, ...expected } = given;
      assert.deepEqual({ mode, userId, groupId, userName, groupName, deviceMajor, deviceMinor, name }, expected);
      assert.equal(read.modifyTime.seconds, seconds);
      const reader = extract();
      reader.end(archive);
      for await (const entry of reader) {
        assert.equal(entry.header.name, given.name);
        assert.equal(entry.header.type, given.type);
        entry.resume();
      }
    }),
    { numRuns: 100 },
  );
});
