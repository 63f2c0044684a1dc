import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainDigest, toDigest } from '../../src/store/digest.ts';

test('plainDigest is SHA-256', () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  assert.equal(plainDigest(Buffer.from('abc')).toString('hex'), abc);
});

test('toDigest copies 32 bytes and refuses others', () => {
  const bytes = Buffer.alloc(32, 1);
  const digest = toDigest(bytes);
  bytes.fill(2);
  assert.equal(digest[0], 1);
  assert.throws(() => toDigest(Buffer.alloc(33)), /32 bytes/);
});
