import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { registerFigures } from '../../src/daemon/figures.ts';
import type { ConnectionStatistics } from '../../src/daemon/fuse-messages.ts';
import { PrometheusMetrics } from '../../src/daemon/metrics.ts';
import { ContentCounter } from '../../src/projection/content-totals.ts';
import { TreeHarness, wanted } from '../projection/helpers/tree-harness.ts';

let harness: TreeHarness;
beforeEach(async () => {
  harness = await TreeHarness.create();
});
afterEach(() => harness.close());

function figures(connections: () => Promise<readonly ConnectionStatistics[]>): PrometheusMetrics {
  const { catalog, blobs, store, clock } = harness;
  const metrics = new PrometheusMetrics(silentLog);
  const content = new ContentCounter(store);
  const sourcesSeenAtMs = (directory: string): number | undefined =>
    directory === 'two' ? clock.nowMs() + 60_000 : undefined;
  const later = { ...clock, nowMs: () => clock.nowMs() + 90_000 };
  registerFigures(metrics, {
    catalog,
    blobs,
    store,
    clock: later,
    content,
    connections,
    startedAtMs: 5_000,
    allocStates: () =>
      new Map([
        ['ready', 2],
        ['broken', 0],
      ]),
    poolStates: () => new Map([['ready', 1]]),
    sourcesSeenAtMs,
  });
  return metrics;
}

const CONNECTION: ConnectionStatistics = { name: 'projections', requests: 12, unanswered: 1, failedNotifications: 2 };

describe('registerFigures', () => {
  it('tells number and age of each live generation, and how much is stored for what is shown', async () => {
    await harness.service.write(wanted('one', { a: 'same', b: 'same' }));
    await harness.service.write(wanted('two', { a: 'same', b: 'same' }));
    await harness.service.write(wanted('two', { a: 'same', b: 'same', c: 'else' }));
    const text = await figures(async () => [CONNECTION]).text();
    for (const line of [
      'dunnage_allocs{state="broken"} 0',
      'dunnage_allocs{state="ready"} 2',
      'dunnage_pools{state="ready"} 1',
      'dunnage_projections 2',
      'dunnage_projection_generation{directory="one"} 1',
      'dunnage_projection_generation{directory="two"} 2',
      'dunnage_projection_generation_age_seconds{directory="one"} 90',
      'dunnage_projection_source_age_seconds{directory="one"} 90',
      'dunnage_projection_source_age_seconds{directory="two"} 30',
      'dunnage_blobs 2',
      'dunnage_blob_bytes 8',
      'dunnage_generations 3',
      'dunnage_dedup_ratio 3.5',
      'dunnage_fuse_requests_total{connection="projections"} 12',
      'dunnage_fuse_unanswered{connection="projections"} 1',
      'dunnage_fuse_failed_notifications_total{connection="projections"} 2',
      'process_start_time_seconds 5',
    ]) {
      assert.ok(text.split('\n').includes(line), `lacks: ${line}\n${text}`);
    }
    assert.match(text, /^dunnage_store_bytes [1-9]\d+$/m);
    assert.match(text, /^process_resident_memory_bytes [1-9]\d+$/m);
  });

  it('gives everything else while the FUSE thread cannot answer', async () => {
    const metrics = figures(() => Promise.reject(new Error('the thread is gone')));
    const text = await metrics.text();
    assert.match(text, /^dunnage_projections 0$/m);
    assert.match(text, /^dunnage_dedup_ratio 1$/m);
    assert.doesNotMatch(text, /^dunnage_fuse_requests_total\{/m);
  });
});
