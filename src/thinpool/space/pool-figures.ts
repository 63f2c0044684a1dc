/** The figures of all pools. Figures of a pool that cannot be looked at are left out, and so are those of one that is gone. */
import type { Counter, Metrics, Sample } from '../../base/metrics.ts';
import type { PoolSpaceEventKind, SpaceReport } from './pool-space.ts';
import type { TrimReport } from './trim-pool.ts';

export interface PoolReport {
  readonly pool: string;
  readonly report: SpaceReport;
}

const GAUGES: readonly (readonly [name: string, help: string, value: (report: SpaceReport) => number])[] = [
  ['dunnage_pool_data_bytes', 'Size of the data of a thin pool.', ({ totalBytes }) => totalBytes],
  ['dunnage_pool_data_used_bytes', 'Data of a thin pool that are in use.', ({ usedBytes }) => usedBytes],
  [
    'dunnage_pool_metadata_bytes',
    'Size of the metadata of a thin pool.',
    ({ metadataTotalBytes }) => metadataTotalBytes,
  ],
  [
    'dunnage_pool_metadata_used_bytes',
    'Metadata of a thin pool that are in use.',
    ({ metadataUsedBytes }) => metadataUsedBytes,
  ],
  ['dunnage_pool_promised_bytes', 'Sizes of all devices of a thin pool.', ({ promisedBytes }) => promisedBytes],
  [
    'dunnage_pool_promisable_bytes',
    'What those may come to if each must be able to fill up.',
    (report) => report.promisableBytes,
  ],
  [
    'dunnage_pool_writers_stopped',
    '1 while who writes to devices waits for room.',
    (report) => Number(report.areWritersStopped),
  ],
  ['dunnage_pool_read_only', '1 while a thin pool takes no changes.', ({ isReadOnly }) => Number(isReadOnly)],
  ['dunnage_pool_needs_check', '1 while a thin pool wants to be checked.', ({ needsCheck }) => Number(needsCheck)],
];

export class PoolFigures {
  readonly #events: Counter;
  readonly #trimmed: Counter;

  constructor(metrics: Metrics, reports: () => Iterable<PoolReport>) {
    const labelNames = ['pool'];
    for (const [name, help, value] of GAUGES) {
      metrics.observed({ name, help, labelNames, type: 'gauge' }, () =>
        [...reports()].map(({ pool, report }): Sample => ({ value: value(report), labels: { pool } })),
      );
    }
    this.#events = metrics.counter({
      name: 'dunnage_pool_events_total',
      help: 'Changes of the space of a thin pool, by their kind.',
      labelNames: ['pool', 'event'],
    });
    this.#trimmed = metrics.counter({
      name: 'dunnage_pool_trimmed_bytes_total',
      help: 'Bytes that file systems on devices gave back to their pool.',
      labelNames,
    });
  }

  count(pool: string, event: PoolSpaceEventKind): void {
    this.#events.increase({ pool, event });
  }

  countTrim(pool: string, { returnedBytes }: TrimReport): void {
    this.#trimmed.increase({ pool }, returnedBytes);
  }
}
