/** Gives back what the file systems on all active devices of a pool do not use: one after another, other work comes first. */
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { PoolDriver } from '../driver.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import { trimDevice } from './trim-device.ts';

export interface TrimmedDevice {
  readonly name: string;
  /** Free in its file system, and so not in the pool any more. */
  readonly freeBytes?: number;
  readonly error?: string;
}

export interface TrimReport {
  /** Those with a mounted file system. */
  readonly devices: readonly TrimmedDevice[];
  /** What the pool has in use now less than before; others may have written meanwhile. */
  readonly returnedBytes: number;
}

export interface TrimParts {
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly log: Log;
  readonly trim?: typeof trimDevice;
}

/** One that cannot be trimmed is told of, and stops no other. Ends early, with what it has, when the signal is aborted. */
export async function trimPool(parts: TrimParts, signal?: AbortSignal): Promise<TrimReport> {
  const { driver, metadata, log, trim = trimDevice } = parts;
  const before = await driver.status();
  const devices: TrimmedDevice[] = [];
  for (const name of metadata.getDeviceNames()) {
    if (signal?.aborted === true) break;
    // Its writes wait for somebody who is making a snapshot.
    if (metadata.findDevice(name)?.state === 'Suspended' || !(await driver.isActive(name))) continue;
    try {
      const freeBytes = await trim(driver.path(name), signal);
      if (freeBytes !== undefined) devices.push({ name, freeBytes });
    } catch (error) {
      // It went meanwhile.
      if (error instanceof DunnageError && error.code === 'NOT_FOUND') continue;
      const fields = { pool: metadata.pool, device: name, error: reasonOf(error) };
      log.warn(fields, 'what the file system on a device does not use cannot be given back');
      devices.push({ name, error: reasonOf(error) });
    }
  }
  const after = await driver.status();
  return { devices, returnedBytes: Math.max(0, before.dataUsedBytes - after.dataUsedBytes) };
}
