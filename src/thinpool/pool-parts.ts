/** What the parts of a PoolDevice have in common. */
import type { Log } from '../base/log.ts';
import type { PoolDriver } from './driver.ts';
import type { PoolMetadata } from './pool-metadata.ts';
import type { Wait } from './retry.ts';
import type { TransactionClock } from './transaction-clock.ts';

export interface PoolParts {
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly clock: TransactionClock;
  readonly log: Log;
  readonly wait: Wait;
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The pool's number may lag behind that of the metadata, so a failure here changes nothing; the next change brings it along. */
export async function advanceClock({ clock, log, metadata }: PoolParts, transaction: number): Promise<void> {
  try {
    await clock.advance(transaction);
  } catch (error) {
    log.warn({ pool: metadata.pool, error: reasonOf(error) }, 'cannot write the number of the last change to the pool');
  }
}
