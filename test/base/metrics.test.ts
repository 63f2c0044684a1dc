import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DURATION_BUCKETS_SECONDS, silentMetrics } from '../../src/base/metrics.ts';

test('silentMetrics takes everything and never looks anything up', () => {
  const description = { name: 'dunnage_x_total', help: 'x', labelNames: ['a'] };
  silentMetrics.counter(description).increase({ a: '1' }, 2);
  silentMetrics.gauge(description).set(1, { a: '1' });
  silentMetrics.histogram({ ...description, buckets: [1] }).observe(1);
  silentMetrics.observed({ ...description, type: 'gauge' }, () => assert.fail('nobody asked'));
});

test('DURATION_BUCKETS_SECONDS rise', () => {
  assert.deepEqual(
    DURATION_BUCKETS_SECONDS.toSorted((a, b) => a - b),
    DURATION_BUCKETS_SECONDS,
  );
});
