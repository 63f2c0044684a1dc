/** Trying again what failed because somebody else was just using it. */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { ErrorCode } from '../errors/table.ts';

export interface RetryPlan {
  readonly triesMax: number;
  /** Between a try and the next; `tries` counts those that failed, from 1. */
  readonly delayMs: (tries: number) => number;
  readonly codes: readonly ErrorCode[];
}

/** Suspending meets a table that is being exchanged, or a device that is just opened. */
export const SUSPEND_RETRIES: RetryPlan = {
  triesMax: 3,
  delayMs: (tries) => 100 * tries,
  codes: ['INVALID_ARGUMENT', 'BUSY'],
};

/** Programs that look at every new block device hold it for some seconds. */
export const BUSY_RETRIES: RetryPlan = { triesMax: 100, delayMs: () => 100, codes: ['BUSY'] };

export type Wait = (durationMs: number) => Promise<void>;

/** Throws what the last try threw. */
export async function retry<T>(plan: RetryPlan, wait: Wait, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const isWorthwhile = error instanceof DunnageError && plan.codes.includes(error.code);
      if (!isWorthwhile || tries >= plan.triesMax) throw error;
      await wait(plan.delayMs(tries));
    }
  }
}
