import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteText, byteText, byteTextOf } from '../../src/base/byte-text.ts';
import { readAttributes, writeAttributes } from '../../src/tar/pax-attributes.ts';

const NOBODY = { user: () => undefined, group: () => undefined };
const records = (...given: (readonly [string, string])[]) => given as unknown as (readonly [ByteText, ByteText])[];

test('attributes of any name and value survive', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => `user.${byteTextOf(bytes)}` as ByteText);
  const entry = fc.tuple(
    name.filter((text) => !text.includes('\0')),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
      const attributes = new Map(entries);
      assert.deepEqual(readAttributes(writeAttributes(attributes), NOBODY), attributes);
    }),
  );
});

test('signs that would end the name are written as percent signs, as GNU tar does', () => {
  const [record] = writeAttributes(new Map([[byteText('user.a=b%c'), Buffer.from('v')]]));
  assert.deepEqual(record, ['SCHILY.xattr.user.a%3Db%25c', 'v']);
});

test('those of libarchive are read, and the plain ones come first', () => {
  const read = readAttributes(
    records(['LIBARCHIVE.xattr.user.a%20b', 'AAH/'], ['LIBARCHIVE.xattr.user.c', 'eA=='], ['SCHILY.xattr.user.c', 'y']),
    NOBODY,
  );
  assert.ok(read instanceof Map);
  assert.deepEqual(read.get(byteText('user.a b')), Buffer.from([0, 1, 255]));
  assert.deepEqual(read.get(byteText('user.c')), Buffer.from('y'));
});

test('what is none has a reason', () => {
  assert.equal(typeof readAttributes(records(['LIBARCHIVE.xattr.user.a', 'not base64!']), NOBODY), 'string');
  assert.equal(typeof readAttributes(records(['SCHILY.xattr.', 'v']), NOBODY), 'string');
  assert.equal(typeof readAttributes(records(['SCHILY.xattr.user.a%00', 'v']), NOBODY), 'string');
  assert.match(String(readAttributes(records(['SCHILY.acl.access', 'user:bob:rwx']), NOBODY)), /bob/);
});
