import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readHeaderNumber } from '../../src/tar/header-numbers.ts';

const read = (bytes: Buffer): number | undefined => readHeaderNumber(bytes, 0, bytes.length);

test('octal digits are read with what writers put around them', () => {
  for (const [text, value] of [
    ['0000644\0', 0o644],
    [' 644 \0\0\0', 0o644],
    ['     1\0 ', 1],
    ['77777777', 0o77777777],
    ['\0\0\0\0\0\0\0\0', 0],
    ['        ', 0],
  ] as const)
    assert.equal(read(Buffer.from(text, 'latin1')), value, JSON.stringify(text));
  for (const text of ['0000648\0', 'x', '12 34', '-1      ', '777777777777777777777777'])
    assert.equal(read(Buffer.from(text)), undefined, text);
});

test('base-256 numbers of both signs are exact', () => {
  const whole = fc.maxSafeInteger();
  fc.assert(
    fc.property(whole, (value) => {
      const bytes = Buffer.alloc(12, value < 0 ? 0xff : 0);
      bytes.writeBigInt64BE(BigInt(value), 4);
      bytes[0] = (bytes[0] ?? 0) | 0x80;
      assert.equal(read(bytes), value);
    }),
  );
  assert.equal(read(Buffer.alloc(8, 0xff)), -1);
  assert.equal(read(Buffer.from([0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), undefined, 'beyond 2^53');
});
