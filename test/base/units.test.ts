import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatDuration, parseBytes, parseDurationMs } from '../../src/base/units.ts';

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

test('parseDurationMs: reads what formatDuration writes, and nothing that only looks like it', () => {
  for (const durationMs of [0, 1000, 61_000, 3_600_000, 90_000_000, 93_600_000]) {
    assert.equal(parseDurationMs(formatDuration(durationMs)), durationMs);
  }
  assert.equal(parseDurationMs('1d2h3m4s'), 93_784_000);
  assert.equal(parseDurationMs('90s'), 90_000);
  for (const text of ['', '5', '5m5m', '5s1m', '1.5h', '-1s', ' 1s', '1s ', '1S', 's', '1w', '9999999999s']) {
    assert.equal(parseDurationMs(text), undefined, text);
  }
});

test('parseDurationMs reads what formatDuration writes, less than the smaller of its two units away', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999 * 86_400_000 }), (durationMs) => {
      const read = parseDurationMs(formatDuration(durationMs));
      assert.ok(read !== undefined && read <= durationMs);
      const lostMs = durationMs - read;
      const lostMsMax = durationMs < 3_600_000 ? 1_000 : durationMs < 86_400_000 ? 60_000 : 3_600_000;
      assert.ok(lostMs < lostMsMax, `${durationMs} -> ${formatDuration(durationMs)}`);
    }),
  );
});

test('parseBytes: reads binary units, and nothing that only looks like it', () => {
  const rows: readonly [string, number | undefined][] = [
    ['0', 0],
    ['1048576', 1_048_576],
    ['512KiB', 524_288],
    ['1.5 GiB', 1_610_612_736],
    ['0.3B', undefined],
    ['8MB', undefined],
    ['-1', undefined],
    ['', undefined],
    ['99999 PiB', undefined],
  ];
  for (const [text, sizeBytes] of rows) assert.equal(parseBytes(text), sizeBytes, text);
});
