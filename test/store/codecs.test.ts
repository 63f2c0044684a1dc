import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestKey, jsonValue, numberAndStringKey, numberKey, stringKey } from '../../src/store/codecs.ts';
import { plainDigest } from '../../src/store/digest.ts';

const number = fc.maxSafeNat();

test('numberKey reads back what it wrote and sorts by value', () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      assert.equal(numberKey.decode(numberKey.encode(a)), a);
      assert.equal(Math.sign(Buffer.compare(numberKey.encode(a), numberKey.encode(b))), Math.sign(a - b));
    }),
  );
});

test('numberKey refuses what a u64 below 2^53 cannot hold', () => {
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) assert.throws(() => numberKey.encode(value), /whole number/);
});

test('numberAndStringKey reads back what it wrote and sorts by number, then by UTF-8', () => {
  const pair = fc.tuple(number, fc.string({ unit: 'grapheme', maxLength: 20 }));
  fc.assert(
    fc.property(pair, pair, (a, b) => {
      assert.deepEqual(numberAndStringKey.decode(numberAndStringKey.encode(a)), a);
      const order = a[0] - b[0] || Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1]));
      assert.equal(
        Math.sign(Buffer.compare(numberAndStringKey.encode(a), numberAndStringKey.encode(b))),
        Math.sign(order),
      );
    }),
  );
});

test('stringKey and jsonValue read back what they wrote', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.jsonValue(), (text, value) => {
      assert.equal(stringKey.decode(stringKey.encode(text)), text);
      assert.deepEqual(jsonValue().decode(jsonValue().encode(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('stringKey refuses bytes that are not UTF-8', () => {
  assert.throws(() => stringKey.decode(Buffer.from([0xff, 0xfe])));
});

test('digestKey takes 32 bytes and nothing else', () => {
  const digest = plainDigest(Buffer.from('x'));
  assert.deepEqual(digestKey.decode(digestKey.encode(digest)), digest);
  assert.throws(() => digestKey.decode(Buffer.alloc(31)), /32 bytes/);
});
