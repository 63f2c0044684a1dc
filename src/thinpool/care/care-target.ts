/** What is checked and repaired: a pool in service, or what it lies on. */
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { loadNative } from '../../native/load.ts';
import type { Maintenance } from '../device-mapper/maintenance.ts';
import type { PoolDriver } from '../driver.ts';
import type { PoolDevice } from '../pool-device.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import type { PoolPaths, PoolSpec } from '../pool-spec.ts';
import type { MarkedPlace } from '../reflink/pool-marking.ts';

export interface CareTarget {
  readonly spec: PoolSpec;
  readonly paths: PoolPaths;
  readonly metadata: PoolMetadata;
  /** Undefined for a pool that is not in service. */
  readonly served?: { readonly driver: PoolDriver; readonly device: PoolDevice };
  readonly runtimeDir: string;
  /** Of the daemon; a repair keeps damaged metadata below it. */
  readonly stateDir: string;
  readonly log: Log;
}

export function placeOf({ spec: { name, place }, paths, runtimeDir, log }: CareTarget): MarkedPlace | undefined {
  if (place.kind === 'device-mapper') return undefined;
  return { poolName: name, place: { kind: place.kind, path: paths.data }, runtimeDir, log };
}

export function maintenanceOf({ spec, paths }: CareTarget): Maintenance {
  return { native: loadNative(), pool: spec.name, dataPath: paths.data, metadataPath: paths.metadata ?? '' };
}

/** Where a repair works, and leaves what was damaged. */
export function repairDirectory({ stateDir }: CareTarget): string {
  return join(stateDir, 'pools', 'repair');
}
