/** The scrub of a daemon: its rate and interval, and the figures it counts. */
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { type Scrub, ScrubPace } from '../store/check/scrub.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { Maintenance } from './maintenance.ts';

export interface ScrubParts {
  readonly maintenance: Pick<Maintenance, 'scrub'>;
  readonly metrics: Metrics;
  readonly projections: { readonly isBusy: boolean };
  readonly log: Log;
}

/** A host that boots has other things to do. */
const DELAY_MS = 60_000;

/** Undefined if it is turned off. To be closed. */
export function startScrub(
  options: Pick<DaemonOptions, 'scrubBytesPerSecond' | 'scrubIntervalSeconds'>,
  { maintenance, metrics, projections, log }: ScrubParts,
): Scrub | undefined {
  const { scrubBytesPerSecond = limits.scrubBytesPerSecond } = options;
  const intervalMs = (options.scrubIntervalSeconds ?? limits.scrubIntervalSeconds) * 1000;
  const verifiedBytes = metrics.counter({
    name: 'dunnage_scrub_verified_bytes_total',
    help: 'Bytes of stored content that the scrub compared with their digests.',
  });
  const damages = metrics.counter({
    name: 'dunnage_scrub_damages_total',
    help: 'Contents that the scrub found damaged.',
  });
  if (scrubBytesPerSecond === 0) return undefined;
  const pace = new ScrubPace(scrubBytesPerSecond, () => projections.isBusy);
  const delayMs = Math.min(DELAY_MS, intervalMs);
  const scrub = maintenance.scrub({ pace, intervalMs, delayMs, log, verifiedBytes, damages });
  scrub.start();
  return scrub;
}
