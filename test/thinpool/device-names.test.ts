import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertDeviceName, assertDeviceSize } from '../../src/thinpool/device-names.ts';

test('names are those that the kernel and a directory can have', () => {
  for (const name of ['a', 'pool-snap-12', '9', '_', 'A.b_c+d-e', 'x'.repeat(90)]) assertDeviceName(name);
  for (const name of ['', '.', '..', '-a', 'a b', 'a/b', 'é', 'a\0', 'x'.repeat(91)]) {
    assert.throws(() => assertDeviceName(name), { code: 'INVALID_ARGUMENT' }, name);
  }
});

test('sizes are whole sectors', () => {
  for (const size of [512, 1024 ** 4]) assertDeviceSize('a', size);
  for (const size of [0, -512, 511, 513, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => assertDeviceSize('a', size), { code: 'INVALID_ARGUMENT' }, String(size));
  }
});
