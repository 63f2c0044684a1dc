import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { generationName, isGenerationName, parseGenerationName } from '../../src/projection/generation-name.ts';

const clock: Clock = { nowMs: () => Date.UTC(2026, 10, 21, 3, 4, 5, 678), monotonicMs: () => 0 };

it('generationName has the time in UTC and 20 random digits', () => {
  const name = generationName(clock);
  assert.match(name, /^\.\.2026_11_21_03_04_05\.\d{20}$/);
  assert.equal(parseGenerationName(name)?.createdAtMs, Date.UTC(2026, 10, 21, 3, 4, 5));
});

it('generationName never repeats, even in the same second, and its digits use 64 bits', () => {
  const digits = Array.from({ length: 1000 }, () => BigInt(parseGenerationName(generationName(clock))?.digits ?? '-1'));
  assert.equal(new Set(digits).size, 1000);
  const seen = digits.reduce((all, value) => all | value, 0n);
  assert.equal(seen, 2n ** 64n - 1n, 'every bit is set somewhere');
});

it('names of the reference are recognised, others are not', () => {
  assert.ok(isGenerationName('..2026_11_21_03_00_00.1234567'));
  for (const name of [
    '..data',
    '..data_tmp',
    '..',
    '2026_11_21_03_00_00.1234567',
    '..2026_11_21_03_00_00',
    '..2026_11_21_03_00_00.',
    '..2026_11_21_03_00_00.12a',
    '..2026_13_21_03_00_00.1',
    '..2026_02_31_03_00_00.1',
    '..2026_11_21_24_00_00.1',
    '..2026_11_21_03_00_00.1/x',
    '..2026_11_21_03_00_00.1\n',
  ]) {
    assert.equal(parseGenerationName(name), undefined, name);
  }
});
