/** Counts and measures writes and swaps. */
import type { Clock } from '../base/clock.ts';
import { type Counter, DURATION_BUCKETS_SECONDS, type Histogram, type Metrics } from '../base/metrics.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

export class SwapFigures {
  readonly #clock: Clock;
  readonly #swaps: Counter;
  readonly #durations: Histogram;
  readonly #failures: Counter;

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    this.#swaps = metrics.counter({ name: 'dunnage_swaps_total', help: 'Generations that were published.' });
    this.#durations = metrics.histogram({
      name: 'dunnage_swap_duration_seconds',
      help: 'From the comparison with the live generation until the new one is durable, visible and announced.',
      buckets: DURATION_BUCKETS_SECONDS,
    });
    this.#failures = metrics.counter({
      name: 'dunnage_write_failures_total',
      help: 'Writes that failed and left the live generation as it was, by error code.',
      labelNames: ['code'],
    });
  }

  /** Measures one run of the atomic writer; one that changes nothing is not a swap. */
  async swap<T extends { readonly changed: boolean }>(task: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const result = await task();
    if (result.changed) {
      this.#swaps.increase();
      this.#durations.observe((this.#clock.monotonicMs() - startMs) / 1000);
    }
    return result;
  }

  /** Counts a write that fails, whatever the reason. */
  async write<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      this.#failures.increase({ code: error instanceof DunnageError ? error.code : 'INTERNAL' });
      throw error;
    }
  }
}
