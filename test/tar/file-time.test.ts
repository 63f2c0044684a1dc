import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFileTime, writeFileTime } from '../../src/tar/file-time.ts';

test('every time survives being written, to the nanosecond', () => {
  const seconds = fc.integer({ min: -10_000_000_000, max: 100_000_000_000 });
  fc.assert(
    fc.property(seconds, fc.integer({ min: 0, max: 999_999_999 }), (whole, nanoseconds) => {
      const time = { seconds: whole, nanoseconds };
      assert.deepEqual(readFileTime(writeFileTime(time)), time);
    }),
  );
});

test('times of other writers are read as POSIX says', () => {
  for (const [text, seconds, nanoseconds] of [
    ['0', 0, 0],
    ['-0', 0, 0],
    ['1.5', 1, 500_000_000],
    ['-1.5', -2, 500_000_000],
    ['-0.000000001', -1, 999_999_999],
    ['12.', 12, 0],
    ['1.1234567899', 1, 123_456_789],
  ] as const)
    assert.deepEqual(readFileTime(text), { seconds, nanoseconds }, text);
  for (const text of ['', '-', '.5', '1e3', '1,5', ' 1', '+1', '1.5x', '9'.repeat(16)])
    assert.equal(readFileTime(text), undefined, text);
});
