import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOf, byteText, byteTextOf, isAscii, isUtf8, readableText } from '../../src/base/byte-text.ts';

test('any bytes survive being text, and compare as bytes do', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      const [left, right] = [byteTextOf(a), byteTextOf(b)];
      assert.deepEqual(new Uint8Array(bytesOf(left)), a);
      assert.equal(left < right, Buffer.compare(a, b) < 0);
    }),
  );
});

test('text of people becomes its UTF-8 and comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(readableText(byteText(text)), Buffer.from(text).toString());
      assert.ok(isUtf8(byteText(text)));
    }),
  );
  assert.equal(byteText('é'), '\xc3\xa9');
});

test('what is no UTF-8 is known, and can be shown all the same', () => {
  const odd = byteTextOf(Uint8Array.of(0x63, 0xe9));
  assert.equal(isUtf8(odd), false);
  assert.equal(isAscii(odd), false);
  assert.equal(readableText(odd), 'c\ufffd');
  assert.equal(isAscii(byteText('plain')), true);
});
