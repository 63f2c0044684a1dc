/** The metrics of a daemon, with the figures that are looked up when somebody asks. */
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { ContentCounter } from '../projection/content-totals.ts';
import { SourceSeen } from '../projection/sources/source-seen.ts';
import type { Store } from '../store/store.ts';
import { type FigureSources, registerFigures } from './figures.ts';
import { PrometheusMetrics } from './metrics.ts';

interface MetricsParts
  extends Pick<FigureSources, 'catalog' | 'blobs' | 'connections' | 'startedAtMs' | 'allocStates' | 'poolStates'> {
  readonly store: Store;
  readonly log: Log;
}

export function daemonMetrics({ log, ...parts }: MetricsParts): PrometheusMetrics {
  const metrics = new PrometheusMetrics(log);
  const seen = new SourceSeen(parts.store);
  registerFigures(metrics, {
    ...parts,
    clock: systemClock,
    content: new ContentCounter(parts.store),
    sourcesSeenAtMs: (directory) => seen.get(directory)?.seenAtMs,
  });
  return metrics;
}
