/** The figures that are looked up when somebody asks: of projections, content, connections and the process itself. */
import type { Clock } from '../base/clock.ts';
import type { Metrics, Sample } from '../base/metrics.ts';
import type { Catalog } from '../projection/catalog.ts';
import type { ContentCounter } from '../projection/content-totals.ts';
import type { ProjectionRecord } from '../projection/records.ts';
import type { BlobStatistics } from '../store/blob-records.ts';
import type { ConnectionStatistics } from './fuse-messages.ts';

export interface FigureSources {
  readonly catalog: Pick<Catalog, 'refresh' | 'projections'>;
  readonly content: Pick<ContentCounter, 'totals'>;
  readonly blobs: { statistics(): BlobStatistics };
  readonly store: { readonly sizeBytes: number };
  readonly connections: () => Promise<readonly ConnectionStatistics[]>;
  readonly clock: Clock;
  /** When the sources of the projection with that directory were read; undefined if it has none. */
  readonly sourcesSeenAtMs: (directory: string) => number | undefined;
  readonly startedAtMs: number;
  /** How many allocs are in each state. */
  readonly allocStates: () => ReadonlyMap<string, number>;
  /** How many pools are in each state. */
  readonly poolStates: () => ReadonlyMap<string, number>;
}

export function registerFigures(metrics: Metrics, sources: FigureSources): void {
  registerProjections(metrics, sources);
  registerAllocs(metrics, sources);
  registerPools(metrics, sources);
  registerContent(metrics, sources);
  registerConnections(metrics, sources);
  registerProcess(metrics, sources);
}

function registerProjections(metrics: Metrics, { catalog, clock, sourcesSeenAtMs }: FigureSources): void {
  const live = (sample: (record: ProjectionRecord) => number) => (): Sample[] => {
    catalog.refresh();
    return [...catalog.projections()]
      .filter(({ record }) => record.state === 'live')
      .map(({ record }) => ({ value: sample(record), labels: { directory: record.directory } }));
  };
  metrics.observed({ type: 'gauge', name: 'dunnage_projections', help: 'Projections that are live.' }, () => [
    { value: live(() => 0)().length },
  ]);
  metrics.observed(
    {
      type: 'gauge',
      name: 'dunnage_projection_generation',
      help: 'Number of the live generation of a projection; it rises with each swap.',
      labelNames: ['directory'],
    },
    live(({ number }) => number),
  );
  metrics.observed(
    {
      type: 'gauge',
      name: 'dunnage_projection_generation_age_seconds',
      help: 'Time since the last swap of a projection.',
      labelNames: ['directory'],
    },
    live(({ updatedAtMs }) => Math.max(0, clock.nowMs() - updatedAtMs) / 1000),
  );
  metrics.observed(
    {
      type: 'gauge',
      name: 'dunnage_projection_source_age_seconds',
      help: 'Time since the source of a projection was last read: all of its sources, or its last write if it has none.',
      labelNames: ['directory'],
    },
    live(({ directory, sourceSeenAtMs }) => {
      return Math.max(0, clock.nowMs() - (sourcesSeenAtMs(directory) ?? sourceSeenAtMs)) / 1000;
    }),
  );
}

function registerAllocs(metrics: Metrics, { allocStates }: FigureSources): void {
  metrics.observed(
    { type: 'gauge', name: 'dunnage_allocs', help: 'Allocs, by their state.', labelNames: ['state'] },
    () => [...allocStates()].map(([state, value]) => ({ value, labels: { state } })),
  );
}

function registerPools(metrics: Metrics, { poolStates }: FigureSources): void {
  metrics.observed(
    { type: 'gauge', name: 'dunnage_pools', help: 'Thin pools, by their state.', labelNames: ['state'] },
    () => [...poolStates()].map(([state, value]) => ({ value, labels: { state } })),
  );
}

function registerContent(metrics: Metrics, { content, blobs, store }: FigureSources): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void =>
    metrics.observed({ type: 'gauge', name, help }, async () => [{ value: await read() }]);
  gauge('dunnage_store_bytes', 'Size of the metadata file.', () => store.sizeBytes);
  gauge('dunnage_blobs', 'Different contents that are stored.', () => blobs.statistics().blobs);
  gauge('dunnage_blob_bytes', 'Bytes of all stored contents, each counted once.', () => blobs.statistics().sizeBytes);
  gauge('dunnage_generations', 'Generations whose content is there, kept and replaced ones included.', async () => {
    return (await content.totals()).generations;
  });
  gauge('dunnage_dedup_ratio', 'Bytes that all generations show per byte stored; 1 if nothing is shared.', async () => {
    const stored = blobs.statistics().sizeBytes;
    return stored === 0 ? 1 : (await content.totals()).sizeBytes / stored;
  });
}

function registerConnections(metrics: Metrics, { connections }: FigureSources): void {
  const each = (read: (connection: ConnectionStatistics) => number) => async (): Promise<Sample[]> =>
    (await connections()).map((connection) => ({ value: read(connection), labels: { connection: connection.name } }));
  const labelNames = ['connection'];
  metrics.observed(
    {
      type: 'counter',
      name: 'dunnage_fuse_requests_total',
      help: 'Requests of the kernel since the start.',
      labelNames,
    },
    each(({ requests }) => requests),
  );
  metrics.observed(
    {
      type: 'gauge',
      name: 'dunnage_fuse_unanswered',
      help: 'Requests of the kernel that have been waiting for more than ten seconds.',
      labelNames,
    },
    each(({ unanswered }) => unanswered),
  );
  metrics.observed(
    {
      type: 'counter',
      name: 'dunnage_fuse_failed_notifications_total',
      help: 'Notifications that the kernel refused.',
      labelNames,
    },
    each(({ failedNotifications }) => failedNotifications),
  );
}

/** Under the names that every Prometheus client uses. */
function registerProcess(metrics: Metrics, { startedAtMs }: FigureSources): void {
  metrics.observed(
    { type: 'gauge', name: 'process_start_time_seconds', help: 'Start of the daemon, seconds since the epoch.' },
    () => [{ value: startedAtMs / 1000 }],
  );
  metrics.observed(
    { type: 'gauge', name: 'process_resident_memory_bytes', help: 'Resident memory of the daemon.' },
    () => [{ value: process.memoryUsage.rss() }],
  );
  metrics.observed(
    { type: 'counter', name: 'process_cpu_seconds_total', help: 'Time on a processor of the daemon.' },
    () => {
      const { user, system } = process.cpuUsage();
      return [{ value: (user + system) / 1e6 }];
    },
  );
}
