import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertPoolName,
  differs,
  driverOf,
  liesInFiles,
  MAPPER_PARAMETERS,
  type PoolPlaceSpec,
  type PoolSpec,
  poolPaths,
} from '../../src/thinpool/pool-spec.ts';

const spec = (place: PoolPlaceSpec, more: Partial<PoolSpec> = {}): PoolSpec => ({
  ...{ name: 'p', place, deviceSizeBytes: 4096, discardBlocks: false, asyncRemove: false },
  fileSystem: { type: 'ext4', options: '' },
  ...more,
});
const file = (sizeBytes: number, path?: string): PoolPlaceSpec => ({ kind: 'file', sizeBytes, ...(path && { path }) });
const mapper = (dataPath: string, blockBytes = 65_536): PoolPlaceSpec => ({
  kind: 'device-mapper',
  data: { kind: 'device', path: dataPath },
  metadata: { kind: 'file', sizeBytes: 4096 },
  format: true,
  parameters: { ...MAPPER_PARAMETERS, blockBytes },
});

test('names of pools are short, in lower case, and no path', () => {
  for (const name of ['a', '0-x', 'x'.repeat(63)]) assertPoolName(name);
  for (const name of ['', 'A', '-a', 'a.b', 'a/b', '..', 'x'.repeat(64), 'a\n']) {
    assert.throws(() => assertPoolName(name), { code: 'INVALID_ARGUMENT' }, name);
  }
});

test('what is not said of places is in the state directory', () => {
  assert.deepEqual(poolPaths(spec(file(1)), '/s'), { data: '/s/pools/p.img' });
  assert.deepEqual(poolPaths(spec(file(1, '/x')), '/s'), { data: '/x' });
  assert.deepEqual(poolPaths(spec(mapper('/dev/a')), '/s'), { data: '/dev/a', metadata: '/s/pools/p.metadata' });
  assert.deepEqual(
    [spec(file(1)), spec(mapper('/dev/a')), spec({ kind: 'device', path: '/d', format: false })].map((one) => [
      driverOf(one),
      liesInFiles(one),
    ]),
    [
      ['reflink', true],
      ['devicemapper', true],
      ['reflink', false],
    ],
  );
});

test('what is about use can change, what a pool lies on cannot, except that it becomes larger', () => {
  const before = spec(file(100));
  assert.equal(differs(before, spec(file(100))), false);
  assert.equal(differs(before, spec(file(100), { deviceSizeBytes: 8192 })), true);
  assert.equal(differs(before, spec(file(100), { overcommit: { highWaterPercent: 80 } })), true);
  assert.equal(differs(before, spec(file(200))), true);
  for (const place of [file(99), file(100, '/x'), mapper('/dev/a')]) {
    assert.throws(() => differs(before, spec(place)), { code: 'IMMUTABLE' });
  }
  assert.throws(() => differs(spec(mapper('/dev/a')), spec(mapper('/dev/b'))), { message: /data elsewhere/ });
  assert.throws(() => differs(spec(mapper('/dev/a')), spec(mapper('/dev/a', 131_072))), { message: /blocks of 65536/ });
});

test('how a pool was made does not matter once it is there', () => {
  const device = (format: boolean): PoolSpec => spec({ kind: 'device', path: '/dev/sdb1', format });
  assert.equal(differs(device(true), device(false)), false);
});
