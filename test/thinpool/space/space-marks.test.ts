import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HIGH_WATER_PERCENT, spaceMarks } from '../../../src/thinpool/space/space-marks.ts';

const GIBIBYTE = 1024 ** 3;

test('the reserve is what is above the mark, and writers go on when there is a quarter more', () => {
  assert.deepEqual(spaceMarks(100 * GIBIBYTE, 95), {
    freezeBelowBytes: 5 * GIBIBYTE,
    thawAboveBytes: Math.ceil(6.25 * GIBIBYTE),
  });
});

test('a small pool keeps a reserve all the same', () => {
  assert.equal(spaceMarks(GIBIBYTE / 2, 99).freezeBelowBytes, 64 * 1024 * 1024);
});

test('what cannot be a mark is refused', () => {
  for (const percent of [0, 100, -1, Number.NaN, 99.5]) {
    assert.throws(() => spaceMarks(GIBIBYTE, percent), { code: 'INVALID_ARGUMENT' }, String(percent));
  }
  assert.throws(() => spaceMarks(64 * 1024 * 1024, HIGH_WATER_PERCENT), { code: 'INVALID_ARGUMENT' });
});
