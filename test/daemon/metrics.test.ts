import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Log } from '../../src/base/log.ts';
import { silentLog } from '../../src/base/log.ts';
import { PrometheusMetrics } from '../../src/daemon/metrics.ts';
import { repositoryRoot } from '../tools/repository.ts';
import { loadRepository } from '../tools/tidy/rule.ts';

const lines = async (metrics: PrometheusMetrics, name: string): Promise<string[]> =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(name));

describe('PrometheusMetrics', () => {
  it('counts, sets and observes, with labels, in the text format', async () => {
    const metrics = new PrometheusMetrics(silentLog);
    const failures = metrics.counter({ name: 'f_total', help: 'Failures.', labelNames: ['code'] });
    failures.increase({ code: 'IO' });
    failures.increase({ code: 'IO' }, 2);
    metrics.gauge({ name: 'level', help: 'Level.' }).set(7);
    const times = metrics.histogram({ name: 'time_seconds', help: 'Time.', buckets: [0.1, 1] });
    times.observe(0.05);
    times.observe(0.5);
    times.observe(5);
    assert.deepEqual(await lines(metrics, 'f_total'), ['f_total{code="IO"} 3']);
    assert.deepEqual(await lines(metrics, 'level'), ['level 7']);
    assert.deepEqual(await lines(metrics, 'time_seconds'), [
      'time_seconds_bucket{le="0.1"} 1',
      'time_seconds_bucket{le="1"} 2',
      'time_seconds_bucket{le="+Inf"} 3',
      'time_seconds_sum 5.55',
      'time_seconds_count 3',
    ]);
    assert.match(await metrics.text(), /^# HELP f_total Failures\.\n# TYPE f_total counter$/m);
  });

  it('gives the same figure for the same name', async () => {
    const metrics = new PrometheusMetrics(silentLog);
    for (let i = 0; i < 3; i += 1) metrics.counter({ name: 'a_total', help: 'A.' }).increase();
    assert.deepEqual(await lines(metrics, 'a_total'), ['a_total 3']);
  });

  it('looks observed figures up each time it is asked, and forgets what is gone', async () => {
    const metrics = new PrometheusMetrics(silentLog);
    let samples = [{ value: 1, labels: { of: 'x' } }];
    metrics.observed({ type: 'gauge', name: 'seen', help: 'Seen.', labelNames: ['of'] }, () => samples);
    metrics.observed({ type: 'counter', name: 'seen_total', help: 'Seen.' }, async () => [{ value: 9 }]);
    assert.deepEqual(await lines(metrics, 'seen'), ['seen{of="x"} 1', 'seen_total 9']);
    samples = [{ value: 2, labels: { of: 'y' } }];
    assert.deepEqual(await lines(metrics, 'seen'), ['seen{of="y"} 2', 'seen_total 9']);
  });

  it('leaves a figure out that cannot be looked up, counts that and logs it', async () => {
    const warnings: unknown[] = [];
    const log: Log = { ...silentLog, warn: (fields) => warnings.push(fields) };
    const metrics = new PrometheusMetrics(log);
    metrics.observed({ type: 'gauge', name: 'broken', help: 'Broken.' }, () => {
      throw new Error('gone');
    });
    metrics.gauge({ name: 'whole', help: 'Whole.' }).set(1);
    assert.deepEqual(await lines(metrics, 'broken'), []);
    assert.deepEqual(await lines(metrics, 'whole'), ['whole 1']);
    assert.deepEqual(warnings[0], { metric: 'broken', error: 'Error: gone' });
    assert.notDeepEqual(await lines(metrics, 'dunnage_scrape_errors_total'), ['dunnage_scrape_errors_total 0']);
  });
});

describe('docs/metrics.md', () => {
  it('lists every figure of the program, and none that is gone', () => {
    const repository = loadRepository(repositoryRoot());
    const used = new Set<string>();
    for (const [path, text] of repository) {
      if (!path.startsWith('src/') || !path.endsWith('.ts')) continue;
      for (const [, name = ''] of text.matchAll(/'((?:dunnage|process)_[a-z_]+)'/g)) used.add(name);
    }
    const documented = [...(repository.get('docs/metrics.md') ?? '').matchAll(/^\| `([a-z_]+)` /gm)].map(([, n]) => n);
    assert.ok(used.size > 10);
    assert.deepEqual([...documented].sort(), [...used].sort());
  });
});
