import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Codec,
  digestKey,
  jsonValue,
  numberAndStringKey,
  numberKey,
  remembered,
  stringKey,
} from '../../src/store/codecs.ts';
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

test('remembered decodes equal bytes once, and other bytes anew, however many there were', () => {
  let decoded = 0;
  const json = jsonValue<{ readonly id: number }>();
  const counting: Codec<{ readonly id: number }> = {
    encode: json.encode,
    decode(bytes) {
      decoded += 1;
      return json.decode(bytes);
    },
  };
  const codec = remembered(counting);
  for (let id = 0; id < 2_000; id += 1) {
    const bytes = codec.encode({ id });
    assert.deepEqual([codec.decode(bytes), codec.decode(Uint8Array.from(bytes))], [{ id }, { id }]);
  }
  assert.equal(decoded, 2_000);
  assert.throws(() => codec.decode(Buffer.from('{')), SyntaxError);
  assert.throws(() => codec.decode(Buffer.from('{')), SyntaxError);
});
