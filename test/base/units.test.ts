import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatDuration } from '../../src/base/units.ts';

test('formatBytes: binary units, at most one digit after the point', () => {
  const rows: readonly [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 3, '5 GiB'],
    [3 * 1024 ** 6, '3072 PiB'],
  ];
  for (const [sizeBytes, text] of rows) assert.equal(formatBytes(sizeBytes), text);
});

test('formatDuration: the two largest units, nothing below a second', () => {
  const rows: readonly [number, string][] = [
    [-5, '0s'],
    [999, '0s'],
    [61_000, '1m1s'],
    [3_600_000, '1h'],
    [3_601_000, '1h'],
    [93_784_000, '1d2h'],
  ];
  for (const [durationMs, text] of rows) assert.equal(formatDuration(durationMs), text);
});
