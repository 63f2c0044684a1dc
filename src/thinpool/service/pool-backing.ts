/** What a pool lies on, the same for all drivers: what is there, making it, and leaving it. It is out of service meanwhile. */
import type { Log } from '../../base/log.ts';
import type { PoolDriver } from '../driver.ts';
import type { PoolPaths, PoolSpec } from '../pool-spec.ts';

export interface BackingContext {
  readonly spec: PoolSpec;
  readonly paths: PoolPaths;
  /** Absolute, on a tmpfs. Devices appear at `<runtimeDir>/dev/<pool>-<device>`. */
  readonly runtimeDir: string;
  readonly log: Log;
  /** The driver has stopped writers, or lets them go on. */
  readonly onWriters: () => void;
}

export interface PoolBacking {
  /**
   * Changes nothing. `new`: a pool can be made there; `pool`: this one is there.
   * @throws DunnageError ALREADY_EXISTS for anything else that is there, NOT_FOUND, INVALID_ARGUMENT
   */
  inspect(): Promise<'new' | 'pool'>;
  /**
   * Makes the pool. `isResumed`: an earlier process may have been interrupted, and what is found of the pool is its work.
   * Preconditions: `inspect` said `new` before it was begun.
   */
  make(isResumed: boolean): Promise<void>;
  /** After `make` failed: what it has made goes, with `isResumed` what an earlier process has made as well. What was there stays. */
  undo(isResumed: boolean): Promise<void>;
  /** Whether more may be promised there than there is; asked before that is allowed. @throws DunnageError INVALID_ARGUMENT */
  assertOvercommits?(): Promise<void>;
  driver(): PoolDriver;
  /** Takes away what the pool has put there; a file that holds it goes. Resolves to what stays, in words. Preconditions: no devices. */
  remove(): Promise<string>;
}

/** Where the block devices of active thin devices are. */
export const DEVICES_FOLDER = 'dev';

/** In front of a device's name where those of all pools are together. */
export function publicPrefix(pool: string): string {
  return `${pool}-`;
}
