/** What the control API asks of the daemon about thin pools: a part of `ControlOperations`. */
import type { DriverKind } from '../thinpool/driver.ts';

/** `broken`: it could not be put into service, and `reason` says why. The next start, or applying it again, tries once more. */
export type PoolState = 'creating' | 'ready' | 'deleting' | 'broken';

export interface SpaceUse {
  readonly usedBytes: number;
  readonly totalBytes: number;
}

export interface PoolDeviceSummary {
  readonly name: string;
  /** 24 bits. */
  readonly id: number;
  /** One of the states of `thinpool/device-states`. */
  readonly state: string;
  readonly sizeBytes: number;
  /** What only this device has: its removal gives that back. */
  readonly ownBytes: number;
  /** What it has in common with others. */
  readonly sharedBytes: number;
  readonly active: boolean;
  /** Of its block device, while it is active. */
  readonly path?: string;
  /** Name of its origin. */
  readonly snapshotOf?: string;
  /** Why its last operation failed. */
  readonly error?: string;
}

/** Figures of a pool that is not in service are 0. */
export interface PoolStatusDoc {
  readonly name: string;
  readonly driver: DriverKind;
  readonly state: PoolState;
  readonly reason?: string;
  /** What it lies on, for people: a directory, a device, a file, or two of them. */
  readonly place: string;
  /** Number of its last change. */
  readonly transaction: number;
  readonly data: SpaceUse;
  /** Total 0: the driver's metadata are part of the data. */
  readonly metadata: SpaceUse;
  /** Sum of the sizes of all devices. */
  readonly promisedBytes: number;
  /** What that sum may be without overcommit. */
  readonly promisableBytes: number;
  /** `highWaterMark` in percent of all data. */
  readonly overcommit: { readonly allowed: boolean; readonly highWaterMark: number };
  /** Everybody who writes to a device waits until there is more room. */
  readonly writersStopped: boolean;
  readonly isReadOnly: boolean;
  readonly needsCheck: boolean;
  readonly lowWater: boolean;
  readonly devices: readonly PoolDeviceSummary[];
  /** Sentences, each with the remedy. */
  readonly warnings: readonly string[];
}

export interface PoolSummary {
  readonly name: string;
  readonly driver: DriverKind;
  readonly state: PoolState;
  readonly reason?: string;
  readonly place: string;
  readonly createdAtMs: number;
  readonly data: SpaceUse;
  readonly promisedBytes: number;
  readonly promisableBytes: number;
  /** How many there are. */
  readonly devices: number;
  readonly warnings: readonly string[];
}

/** As `apply` takes it, with what was left out filled in. */
export interface PoolManifestDoc {
  readonly apiVersion: 'dunnage/v1';
  readonly kind: 'Pool';
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface PoolDetail {
  readonly name: string;
  readonly state: PoolState;
  readonly reason?: string;
  readonly createdAtMs: number;
  readonly manifest: PoolManifestDoc;
}

export interface PoolDeletion {
  readonly name: string;
  /** Names of the devices that were removed with it. */
  readonly devices: readonly string[];
  /** What stays, in words; empty if nothing does. */
  readonly left: string;
}

export interface PoolFinding {
  /** A device, an image, a part of the metadata. */
  readonly object: string;
  readonly what: string;
  readonly repairable: boolean;
  /** What a repair does or did, or what somebody has to do. */
  readonly action: string;
}

export interface PoolCheckReport {
  readonly name: string;
  readonly driver: DriverKind;
  readonly repair: boolean;
  readonly outcome: 'clean' | 'found' | 'repaired' | 'unrepaired';
  readonly repaired: readonly PoolFinding[];
  readonly remaining: readonly PoolFinding[];
  /** What was not looked at and why; where damaged metadata were saved. */
  readonly notes: readonly string[];
}

export interface NewPoolDevice {
  /** The pool's `deviceSize` if absent; of a snapshot its origin's size. */
  readonly sizeBytes?: number;
  readonly snapshotOf?: string;
}

export interface PoolRepairOptions {
  /** Deletes what the pool has and no record names. What it holds is lost. */
  readonly deleteUnknown?: boolean;
}

/** What `apply`, or PUT of one pool, did. */
export interface PoolApplyResult {
  readonly kind: 'Pool';
  readonly namespace: 'default';
  readonly name: string;
  /** A pool has no directory of its own in the tree. */
  readonly directory: '';
  readonly action: 'created' | 'configured' | 'unchanged';
  readonly generation?: never;
  readonly warnings?: readonly string[];
}

export interface PoolOperations {
  /**
   * Makes the pool, or changes what can be changed of it. `spec` is that of the manifest. `onlyNew`: one that exists is ALREADY_EXISTS.
   * Throws INVALID_MANIFEST, ALREADY_EXISTS (its place holds something), NO_SPACE, IMMUTABLE, ...
   */
  putPool(name: string, spec: unknown, onlyNew: boolean): Promise<PoolApplyResult>;
  listPools(): Promise<readonly PoolSummary[]>;
  getPool(name: string): Promise<PoolDetail>;
  poolStatus(name: string): Promise<PoolStatusDoc>;
  /** BUSY if it has devices, unless `force` says that they go with it; BUSY also if somebody uses one, and the message says who. */
  deletePool(name: string, force: boolean): Promise<PoolDeletion>;
  checkPool(name: string): Promise<PoolCheckReport>;
  repairPool(name: string, options: PoolRepairOptions): Promise<PoolCheckReport>;
  listPoolDevices(pool: string): Promise<readonly PoolDeviceSummary[]>;
  /** Creates and activates. One that exists is activated, if it has that size and origin; ALREADY_EXISTS otherwise. */
  putPoolDevice(pool: string, device: string, wanted: NewPoolDevice): Promise<PoolDeviceSummary>;
  activatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary>;
  deactivatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary>;
  deletePoolDevice(pool: string, device: string): Promise<void>;
}
