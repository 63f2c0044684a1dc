import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fillingBelow,
  HIGH_WATER_PERCENT,
  metadataReserveBytes,
  spaceMarks,
} from '../../../src/thinpool/space/space-marks.ts';

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

test('a pool fills up long before its mark, but never while half of it is free', () => {
  assert.equal(fillingBelow(100 * GIBIBYTE, 5 * GIBIBYTE), 10 * GIBIBYTE);
  assert.equal(fillingBelow(GIBIBYTE, 0.4 * GIBIBYTE), 0.5 * GIBIBYTE);
});

test('of metadata a quarter is kept free, four mebibytes at most', () => {
  assert.equal(metadataReserveBytes(2 * 1024 * 1024), 512 * 1024);
  assert.equal(metadataReserveBytes(GIBIBYTE), 4 * 1024 * 1024);
  assert.equal(metadataReserveBytes(0), 0);
});
