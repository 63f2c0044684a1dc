import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aclBytes, aclText } from '../../src/tar/acl-text.ts';

const NUMBERS = {
  user: (name: string) => (name === 'alice' ? 1001 : undefined),
  group: (name: string) => (name === 'staff' ? 50 : undefined),
};
/** What setfacl makes of `u:1234:rwx,g:4321:r-x` on a file of mode 0644. */
const KERNEL = Buffer.from(
  '0200000001000600ffffffff02000700d204000004000400ffffffff08000500e110000010000700ffffffff20000400ffffffff',
  'hex',
);
const TEXT = 'user::rw-,user:1234:rwx,group::r--,group:4321:r-x,mask::rwx,other::r--';

test('the bytes of the kernel and the text of archives are the same list', () => {
  assert.equal(aclText(KERNEL), TEXT);
  assert.deepEqual(aclBytes(TEXT, NUMBERS), KERNEL);
});

test('other ways to write it are read: lines, short words, comments, any order, a number behind a name', () => {
  const lines =
    'other:r--\nmask:rwx #effective\ng::r--\nu::rw-\nuser:nobody-here:rwx:1234\ngroup:4321:r-x\n\n# the end';
  assert.deepEqual(aclBytes(lines, NUMBERS), KERNEL);
  const named = aclBytes('u::rwx,u:alice:r--,g::---,g:staff:-w-,m::rwx,o::--x', NUMBERS);
  assert.ok(Buffer.isBuffer(named));
  assert.equal(aclText(named), 'user::rwx,user:1001:r--,group::---,group:50:-w-,mask::rwx,other::--x');
});

test('what is no list has a reason', () => {
  assert.match(String(aclBytes('user:bob:rwx', NUMBERS)), /names "bob"/);
  assert.match(String(aclBytes('user::rwz', NUMBERS)), /without permissions/);
  assert.match(String(aclBytes('thing::rwx', NUMBERS)), /unknown entry/);
  for (const bad of ['', '01000000', '02000000ff', '0200000003000600ffffffff'])
    assert.equal(aclText(Buffer.from(bad, 'hex')), undefined);
});
