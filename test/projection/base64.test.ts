import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from '../../src/projection/base64.ts';

it('decodeBase64 reads what encodeBase64 writes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(decodeBase64(encodeBase64(bytes)), Buffer.from(bytes))),
  );
});

it('encodeBase64 takes a view on a part of a buffer', () => {
  assert.equal(encodeBase64(new Uint8Array(Buffer.from('xabcx')).subarray(1, 4)), 'YWJj');
});

it('decodeBase64 refuses what is not canonical', () => {
  for (const text of ['YQ', 'YQ=', 'YQ==\n', ' YQ==', 'Y Q==', 'YR==', '-_-_', 'YQ==YQ==', '====', 'é']) {
    assert.equal(decodeBase64(text), undefined, JSON.stringify(text));
  }
});
