/** The start of a pool: every record is compared with what the kernel, or the pool's file system, really has. */
import type { DeviceInfo } from './device-info.ts';
import type { PoolParts } from './pool-parts.ts';
import { type Reality, readReality, type Settled, settleDevice } from './settle.ts';

export interface StartReport {
  /** Only those with which something was done or is wrong. */
  readonly devices: readonly Settled[];
  /** Devices that the pool has and no record names. They are left alone, and their ids are not given out. */
  readonly unknownIds: readonly number[];
  /** The pool has seen changes that the metadata know nothing of: they come from a backup, or belong to another pool. */
  readonly areMetadataOlder: boolean;
}

/** Throws what keeps the whole pool from its service; one broken device does not. */
export async function startPool(parts: PoolParts, poolTransaction: number): Promise<StartReport> {
  const { metadata, log } = parts;
  const reality = await readReality(parts);
  const records = [...metadata.walkDevices()];
  const areMetadataOlder = poolTransaction > metadata.transaction;
  const unknownIds = findUnknownIds(reality, records);
  await metadata.setIdsAside(unknownIds);
  if (areMetadataOlder) {
    const numbers = { pool: metadata.pool, poolTransaction, transaction: metadata.transaction };
    log.error(numbers, 'the metadata of the pool are older than the pool: no device is deleted because of them');
  }
  if (unknownIds.length > 0) {
    log.warn(
      { pool: metadata.pool, ids: unknownIds },
      'the pool has devices that nobody here made; they are left alone',
    );
  }
  const settled = await Promise.all(records.map((info) => settleDevice(parts, info, reality, !areMetadataOlder)));
  // Only now: if the process dies on the way, the next start sees the same.
  if (areMetadataOlder) await metadata.setTransaction(poolTransaction);
  else await parts.clock.advance(metadata.transaction);
  const devices = settled.filter(({ outcome }) => outcome !== 'kept');
  if (devices.length > 0) log.info({ pool: metadata.pool, devices }, 'thin devices were brought in order');
  return { devices, unknownIds, areMetadataOlder };
}

export function findUnknownIds(reality: Reality, records: readonly DeviceInfo[]): readonly number[] {
  const known = new Set(records.map(({ deviceId }) => deviceId));
  return [...reality.keys()].filter((id) => !known.has(id)).sort((one, other) => one - other);
}
