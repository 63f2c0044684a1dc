import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricLabels, Metrics } from '../../src/base/metrics.ts';
import { silentMetrics } from '../../src/base/metrics.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { SwapFigures } from '../../src/projection/swap-figures.ts';

function recording(): { readonly metrics: Metrics; readonly seen: [string, number, MetricLabels?][] } {
  const seen: [string, number, MetricLabels?][] = [];
  const metrics: Metrics = {
    ...silentMetrics,
    counter: ({ name }) => ({
      increase: (labels, by = 1) => void seen.push(labels === undefined ? [name, by] : [name, by, labels]),
    }),
    histogram: ({ name }) => ({ observe: (value) => void seen.push([name, value]) }),
  };
  return { metrics, seen };
}

test('SwapFigures counts and measures what changed, and nothing else', async () => {
  const { metrics, seen } = recording();
  let nowMs = 100;
  const figures = new SwapFigures(metrics, { nowMs: () => 0, monotonicMs: () => nowMs });
  await figures.swap(async () => {
    nowMs += 250;
    return { changed: true };
  });
  await figures.swap(async () => ({ changed: false }));
  assert.deepEqual(seen, [
    ['dunnage_swaps_total', 1],
    ['dunnage_swap_duration_seconds', 0.25],
  ]);
});

test('SwapFigures counts failed writes by code and passes the failure on', async () => {
  const { metrics, seen } = recording();
  const figures = new SwapFigures(metrics, { nowMs: () => 0, monotonicMs: () => 0 });
  assert.equal(await figures.write(async () => 7), 7);
  for (const failure of [new DunnageError('NO_SPACE', 'full'), new Error('a bug')]) {
    await assert.rejects(
      figures.write(() => Promise.reject(failure)),
      failure,
    );
  }
  assert.deepEqual(seen, [
    ['dunnage_write_failures_total', 1, { code: 'NO_SPACE' }],
    ['dunnage_write_failures_total', 1, { code: 'INTERNAL' }],
  ]);
});
