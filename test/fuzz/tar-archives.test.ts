/** Archives that were damaged in every way: the parser gives events or a DunnageError, and always comes to an end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { generatedEntry } from '../tar/helpers/arbitraries.ts';
import { archiveOf, parseEvents } from '../tar/helpers/archives.ts';
import { END, extended, headerBlock } from '../tar/helpers/header-blocks.ts';

/** Every event takes bytes or is one of few between them: more are a loop. */
function readAll(archive: Buffer, pieceBytes: number): void {
  const most = 16 + 4 * archive.length;
  let events = 0;
  let delivered = 0;
  try {
    for (const event of parseEvents(archive, pieceBytes)) {
      events += 1;
      assert.ok(events < most, 'it does not come to an end');
      if (event.kind === 'content') delivered += event.bytes.length;
    }
  } catch (error) {
    if (!(error instanceof DunnageError)) throw error;
    assert.ok(error.code === 'CORRUPT' || error.code === 'NOT_SUPPORTED', error.code);
  }
  assert.ok(delivered <= archive.length);
}

const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 12 });

/** The checksum of a damaged header is set right, so that what is behind it is tried too. */
function repairSums(archive: Buffer): void {
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    if (!archive.toString('latin1', at + 257, at + 262).startsWith('ustar')) continue;
    archive.fill(0x20, at + 148, at + 156);
    const sum = archive.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
}

test('archives with bytes changed, cut anywhere, come to an end', async () => {
  const list = fc.array(generatedEntry, { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      list,
      damage,
      fc.boolean(),
      fc.nat(),
      fc.integer({ min: 1, max: 2000 }),
      async (entries, changes, repairs, cut, size) => {
        const archive = await archiveOf(entries.map(({ entry, stored }) => [entry, stored]));
        for (const [at, byte] of changes) archive[at % archive.length] = byte;
        if (repairs) repairSums(archive);
        readAll(archive, size);
        readAll(archive.subarray(0, cut % (archive.length + 1)), size);
      },
    ),
    { numRuns: 250 },
  );
});

test('headers of random fields come to an end', () => {
  const field = fc.oneof(
    fc.stringMatching(/^[0-7 ]{0,12}$/),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  const block = fc
    .record({
      name: field,
      size: field,
      modifyTime: field,
      type: fc.constantFrom(...'01234567xgLKSVDNMZX\0'),
      link: field,
      magic: fc.constantFrom('ustar\x0000', 'ustar  \0', '', 'ustar\0xx'),
      sparse: fc.array(field, { maxLength: 8 }).map((list) => list.map((text) => text.padEnd(12, '\0')).join('')),
    })
    .map(headerBlock);
  const key = fc.constantFrom(
    'path',
    'size',
    'uid',
    'mtime',
    'GNU.sparse.major',
    'GNU.sparse.map',
    'GNU.sparse.realsize',
    'GNU.sparse.offset',
    'SCHILY.acl.access',
    'SCHILY.xattr.user.a',
    'hdrcharset',
  );
  const records = fc
    .array(fc.tuple(key, fc.oneof(field, fc.stringMatching(/^[0-9,.:-]{0,9}$/))), { maxLength: 4 })
    .map((list) =>
      extended(list.map(([name, value]) => `${name.length + value.length + 3 + 2} ${name}=${value}\n`).join('')),
    );
  const noise = fc.uint8Array({ minLength: 512, maxLength: 512 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(block, records, noise, fc.constant(END)), { maxLength: 6 }),
      fc.integer({ min: 1, max: 1500 }),
      (blocks, size) => {
        readAll(Buffer.concat(blocks), size);
      },
    ),
    { numRuns: 1500 },
  );
});

test('the check itself: a parser that loops would be noticed', () => {
  assert.throws(() => {
    let events = 0;
    for (;;) {
      events += 1;
      assert.ok(events < 100, 'it does not come to an end');
    }
  }, /come to an end/);
});
