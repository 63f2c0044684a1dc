import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricLabels, Metrics, ObservedDescription, Sample } from '../../../src/base/metrics.ts';
import { silentMetrics } from '../../../src/base/metrics.ts';
import { PoolFigures, type PoolReport } from '../../../src/thinpool/space/pool-figures.ts';

const REPORT: PoolReport['report'] = {
  promisedBytes: 5,
  promisableBytes: 6,
  usedBytes: 1,
  totalBytes: 2,
  metadataUsedBytes: 3,
  metadataTotalBytes: 4,
  isBacked: true,
  isLow: false,
  isFilling: false,
  isBelowLowWater: false,
  areMetadataLow: false,
  areWritersStopped: true,
  isReadOnly: false,
  needsCheck: false,
};

test('every pool has its figures as long as it is there, and its events are counted', async () => {
  const observed = new Map<string, () => Iterable<Sample> | Promise<Iterable<Sample>>>();
  const counted: (readonly [string, MetricLabels | undefined, number | undefined])[] = [];
  const metrics: Metrics = {
    ...silentMetrics,
    observed: ({ name }: ObservedDescription, read) => void observed.set(name, read),
    counter: ({ name }) => ({ increase: (labels, by) => void counted.push([name, labels, by]) }),
  };
  let pools: PoolReport[] = [
    { pool: 'a', report: REPORT },
    { pool: 'b', report: { ...REPORT, areWritersStopped: false } },
  ];
  const figures = new PoolFigures(metrics, () => pools);
  const read = async (name: string): Promise<Sample[]> => [...((await observed.get(name)?.()) ?? [])];
  assert.deepEqual(await read('dunnage_pool_writers_stopped'), [
    { value: 1, labels: { pool: 'a' } },
    { value: 0, labels: { pool: 'b' } },
  ]);
  const values = ['data_used', 'data', 'metadata_used', 'metadata', 'promised', 'promisable'];
  for (const [index, name] of values.entries()) {
    assert.equal((await read(`dunnage_pool_${name}_bytes`))[0]?.value, index + 1, name);
  }
  pools = [];
  assert.deepEqual(await read('dunnage_pool_data_bytes'), []);
  figures.count('a', 'low');
  figures.countTrim('a', { devices: [], returnedBytes: 77 });
  assert.deepEqual(counted, [
    ['dunnage_pool_events_total', { pool: 'a', event: 'low' }, undefined],
    ['dunnage_pool_trimmed_bytes_total', { pool: 'a' }, 77],
  ]);
});
