import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimateMedian } from './statistics.ts';

test('estimateMedian: the median and the order statistics that enclose it with 95 %', () => {
  const samples = Array.from({ length: 15 }, (_, index) => 15 - index);
  // Table of the sign test: n = 15 gives the 4th smallest and the 4th largest (96.5 %).
  assert.deepEqual(estimateMedian(samples), { median: 8, low: 4, high: 12 });
});

test('estimateMedian: an even number of samples has the middle of the two in the middle', () => {
  assert.equal(estimateMedian([4, 1, 3, 2]).median, 2.5);
});

test('estimateMedian: too few samples for 95 % give their whole range', () => {
  assert.deepEqual(estimateMedian([2, 1, 3]), { median: 2, low: 1, high: 3 });
  assert.throws(() => estimateMedian([]), RangeError);
});

test('estimateMedian: the interval holds the true median in about 95 of 100 draws', () => {
  // A fixed sequence of a linear congruential generator: the test is the same in every run.
  let state = 12345;
  const draw = (): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  let inside = 0;
  for (let trial = 0; trial < 1000; trial += 1) {
    const { low, high } = estimateMedian(Array.from({ length: 25 }, draw));
    if (low <= 0.5 && 0.5 <= high) inside += 1;
  }
  assert.ok(inside >= 930 && inside <= 990, `${inside} of 1000`);
});
