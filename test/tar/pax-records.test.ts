import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteText, bytesOf, byteTextOf } from '../../src/base/byte-text.ts';
import { readPaxRecords, writePaxRecord } from '../../src/tar/pax-records.ts';

test('records of any bytes and length survive', () => {
  const value = fc.uint8Array({ maxLength: 1200 }).map(byteTextOf);
  const key = fc.stringMatching(/^[A-Za-z][A-Za-z.]{0,30}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 8 }), (records) => {
      const text = records.map(([name, bytes]) => writePaxRecord(name, bytes)).join('');
      assert.deepEqual(readPaxRecords(bytesOf(text as ByteText)), records);
    }),
  );
});

test('the length counts its own digits, also where it becomes one longer', () => {
  for (let size = 0; size < 1100; size += 1) {
    const record = writePaxRecord('k', 'v'.repeat(size));
    assert.equal(Number.parseInt(record, 10), record.length);
  }
});

test('damaged lists have a reason', () => {
  for (const text of [
    'x',
    '5',
    '99 a=b\n',
    '6 a=b',
    '0 a=b\n',
    '3 =\n',
    '5 a\n\n',
    '6 =ab\n',
    '6 a=b\n7',
    '-6 a=b\n',
    ' 6 a=b\n',
  ])
    assert.equal(typeof readPaxRecords(Buffer.from(text)), 'string', JSON.stringify(text));
  assert.deepEqual(readPaxRecords(Buffer.from('6 a=b\n')), [['a', 'b']]);
  assert.deepEqual(readPaxRecords(Buffer.alloc(0)), []);
});
