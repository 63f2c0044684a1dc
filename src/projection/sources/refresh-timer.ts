/**
 * When a projection's sources are read again: a quiet time after the last change, so that a burst is one swap, but not later
 * than a maximum after the first, so that changes without end get through as well. What failed is tried again, less and
 * less often.
 */
import type { Clock } from '../../base/clock.ts';
import { limits } from '../../base/limits.ts';

export class RefreshTimer {
  readonly #clock: Clock;
  /** Gets the time (monotonic) of the first change that it is for. */
  readonly #onDue: (sinceMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #sinceMs: number | undefined;
  #failures = 0;

  constructor(clock: Clock, onDue: (sinceMs: number) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Something may have changed. `quietMs` 0: at once, with whatever else changes in this turn of the event loop. */
  changed(quietMs: number = limits.sourceQuietMs): void {
    const nowMs = this.#clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    clearTimeout(this.#timer);
    const latestMs = this.#sinceMs + limits.sourceQuietMsMax;
    this.#timer = setTimeout(() => this.#due(), Math.max(0, Math.min(quietMs, latestMs - nowMs)));
  }

  /** A reading was complete: nothing is to be tried again. */
  succeeded(): void {
    this.#failures = 0;
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  failed(): void {
    const waitMs = Math.min(limits.sourceRetryMs * 2 ** this.#failures, limits.sourceRetryMsMax);
    this.#failures += 1;
    this.again(waitMs);
  }

  /** One more reading after that time, whether something changes or not. */
  again(waitMs: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.changed(0), waitMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
  }

  #due(): void {
    const sinceMs = this.#sinceMs ?? this.#clock.monotonicMs();
    this.#sinceMs = undefined;
    this.#onDue(sinceMs);
  }
}
