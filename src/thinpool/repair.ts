/**
 * Repair of a pool that is in service: every Faulty device is settled again, from the state that it had before, every other one if it is
 * not as its record says, and ids that were set aside are free again if the pool has nothing there any more.
 */

import { DunnageError } from '../errors/dunnage-error.ts';
import { deviceFindings } from './care/check-served.ts';
import type { DeviceLocks } from './device-locks.ts';
import { type PoolParts, reasonOf } from './pool-parts.ts';
import { readReality, type Settled, settleDevice } from './settle.ts';
import { findUnknownIds } from './start.ts';

export interface RepairOptions {
  /** Deletes devices that the pool has and no record names. What they hold is lost. */
  readonly deleteUnknown?: boolean;
}

export interface RepairReport {
  readonly devices: readonly Settled[];
  readonly freedIds: readonly number[];
  /** Still in the pool without a record: they keep their ids. */
  readonly unknownIds: readonly number[];
}

export async function repairPool(
  parts: PoolParts,
  locks: DeviceLocks,
  options: RepairOptions = {},
): Promise<RepairReport> {
  const { metadata } = parts;
  const devices: Settled[] = [];
  const seen = await readReality(parts);
  for (const info of [...metadata.walkDevices()]) {
    const { name, state, deviceId } = info;
    if (deviceFindings(info, seen.get(deviceId)).length === 0) continue;
    const repair = state === 'Faulty' ? repairDevice : settleAgain;
    const settled = await locks.run([name], () => repair(parts, name));
    if (settled !== undefined && settled.outcome !== 'kept') devices.push(settled);
  }
  const reality = await readReality(parts);
  const records = [...metadata.walkDevices()];
  const unknown = new Set(findUnknownIds(reality, records));
  const known = new Set(records.map(({ deviceId }) => deviceId));
  // Also those that somebody made since the start.
  const aside = new Set(metadata.idsSetAside());
  await metadata.setIdsAside([...unknown].filter((id) => !aside.has(id)));
  const freedIds: number[] = [];
  for (const id of metadata.idsSetAside()) {
    if (known.has(id)) continue;
    if (unknown.has(id) && !(options.deleteUnknown === true && (await deleteUnknown(parts, id)))) continue;
    unknown.delete(id);
    await metadata.freeId(id);
    freedIds.push(id);
  }
  return { devices, freedIds, unknownIds: [...unknown] };
}

/** What has changed behind our back. */
async function settleAgain(parts: PoolParts, name: string): Promise<Settled | undefined> {
  const info = parts.metadata.findDevice(name);
  if (info === undefined || info.state === 'Faulty') return undefined;
  return await settleDevice(parts, info, await readReality(parts), true);
}

async function repairDevice(parts: PoolParts, name: string): Promise<Settled | undefined> {
  const { metadata } = parts;
  if (metadata.findDevice(name)?.state !== 'Faulty') return undefined;
  const info = await metadata.markRepaired(name, metadata.faultyFrom(name));
  return await settleDevice(parts, info, await readReality(parts), true);
}

async function deleteUnknown({ driver, log, metadata }: PoolParts, id: number): Promise<boolean> {
  try {
    await driver.delete(id);
    return true;
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') return true;
    log.warn({ pool: metadata.pool, id, error: reasonOf(error) }, 'cannot delete a device that nobody here made');
    return false;
  }
}
