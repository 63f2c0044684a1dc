/**
 * What a pool's devices are made of. A driver knows no metadata and no states: `PoolDevice` does, the same for all drivers.
 *
 * Thin devices are told apart by id (24 bits, chosen by the caller). An *active* device is a block device at `path(name)`; the
 * name belongs to the activation, not to the id. Every call is one step that can be repeated after a crash: it either has
 * happened or not, and `list` tells which.
 *
 * Errors are DunnageErrors, the same for all drivers:
 *   ALREADY_EXISTS    an id that is taken
 *   NOT_FOUND         an id that the pool does not have, a name that is not active
 *   BUSY              activated already, or somebody has the device open
 *   INVALID_ARGUMENT  a size or a name that cannot be
 *   NO_SPACE          no room for data or for metadata
 *   CORRUPT           the pool is damaged or is not what it was; the remedy says how to mend it
 *
 * Calls for different ids may run at the same time. The caller runs those for one id one after another, and so those for a
 * snapshot and its origin.
 */
import type { ExpectedDevice, Inspection } from './care/pool-finding.ts';

export type DriverKind = 'devicemapper' | 'reflink';

export interface DeviceUsage {
  /** Bytes that only this device has: what its removal gives back. */
  readonly ownBytes: number;
  /** Bytes that it has in common with others. */
  readonly sharedBytes: number;
}

export interface PoolStatus {
  readonly dataUsedBytes: number;
  readonly dataTotalBytes: number;
  readonly metadataUsedBytes: number;
  readonly metadataTotalBytes: number;
  /** What the sizes of all devices may come to if each must be able to fill up: the data less what the pool needs for itself. */
  readonly promisableBytes: number;
  /** Everybody who writes to a device waits until there is more room. */
  readonly areWritersStopped?: boolean;
  /** Nothing can be written any more: out of metadata space, or damaged. */
  readonly isReadOnly: boolean;
  /** The pool found something wrong with itself: it wants to be checked before it is used again. */
  readonly needsCheck: boolean;
  /** Less data is free than the low-water mark of the pool says, if it has one. */
  readonly isBelowLowWater?: boolean;
}

/** What a pool in files shall have; what lies on block devices has their sizes. */
export interface PoolSizes {
  readonly dataBytes?: number;
  readonly metadataBytes?: number;
}

/** A device as the kernel or the pool's file system really has it. */
export interface DriverDevice {
  readonly id: number;
  /** Of its activation; undefined while it is not active. */
  readonly name?: string;
  readonly isActive: boolean;
  /** Active, and writes to it wait. */
  readonly isSuspended: boolean;
  /** Of the block device; undefined while it is not active. */
  readonly sizeBytes?: number;
}

export interface DeactivateOptions {
  /** If somebody has the device open: let it go as soon as nobody has, instead of failing with BUSY. */
  readonly deferred: boolean;
  /** Reads and writes of whoever has it open fail from now on. For devices that are to be removed. */
  readonly force: boolean;
}

export interface PoolDriver {
  readonly kind: DriverKind;

  /** Puts the pool into service, or finds it in service already (another process did it). Nothing else may be called before. */
  open(): Promise<void>;
  /** Lets go of what this process has open. Pool and devices stay in service. Calling it again is fine. */
  close(): Promise<void>;
  /** Takes the pool out of service: nothing of it is left in the kernel. The data stay where they are. BUSY while a device is active. */
  destroy(): Promise<void>;

  /** A new empty device; all of it reads as zeros. ALREADY_EXISTS if the id is taken. */
  createThin(id: number): Promise<void>;
  /** A copy of what the origin holds now. The caller has suspended the origin if it is active. ALREADY_EXISTS, NOT_FOUND. */
  createSnapshot(id: number, originId: number): Promise<void>;
  /** Removes a device that is not active. NOT_FOUND if it is not there (any more), BUSY while it is active. */
  delete(id: number): Promise<void>;

  /**
   * The device appears as a block device of that size at `path(name)`. BUSY if the name or the id is active already; one that waits
   * for its last user to let it go (`deferred`) is kept instead. NOT_FOUND, INVALID_ARGUMENT. Where it fails it leaves nothing active.
   */
  activate(name: string, id: number, sizeBytes: number): Promise<void>;
  /** Makes an active device larger, under its users. INVALID_ARGUMENT if that would make it smaller, NOT_FOUND if it is not active. */
  resize(name: string, sizeBytes: number): Promise<void>;
  /** BUSY if somebody has it open (see the options). A name that is not active is none of its business. */
  deactivate(name: string, options: DeactivateOptions): Promise<void>;
  /** What was written is on its way to the pool, further writes wait. Repeated: nothing happens. NOT_FOUND if it is not active. */
  suspend(name: string): Promise<void>;
  /** Repeated: nothing happens. NOT_FOUND if it is not active. */
  resume(name: string): Promise<void>;
  isActive(name: string): Promise<boolean>;
  /** Gives the blocks of an active device back to where the pool lies; what it held is lost. BUSY if somebody has it open. */
  discard(name: string): Promise<void>;
  /** Stable for as long as the name is used; below the runtime directory. There is nothing at it while the device is not active. */
  path(name: string): string;

  /** NOT_FOUND if the pool does not have the id. */
  usage(id: number): Promise<DeviceUsage>;
  /** That of all devices, where one look tells it. */
  usages?(): Promise<ReadonlyMap<number, DeviceUsage>>;
  status(): Promise<PoolStatus>;
  /** Everything that is there, also what the caller never heard of. */
  list(): Promise<readonly DriverDevice[]>;

  /**
   * Takes in what the place of the pool has become larger by, under its users. A pool in files gets the sizes that are said first, unless
   * it has them. Repeated: nothing happens. INVALID_ARGUMENT if it would become smaller, NO_SPACE if there is no room for the files.
   */
  grow?(sizes: PoolSizes): Promise<void>;
  /** What only the driver can see that is not as it should be. Changes nothing. */
  inspect?(expected: readonly ExpectedDevice[]): Promise<Inspection>;
  /** Calls back when the pool may have something new to tell in its status. Undefined if nobody would tell; otherwise ends it. */
  watch?(onEvent: () => void): Promise<(() => void) | undefined>;

  /** A number that the pool keeps for its user; 0 in a new pool. It shows that metadata and pool belong to the same moment. */
  transaction(): Promise<number>;
  /** Durable when it resolves. */
  setTransaction(transaction: number): Promise<void>;
}

/** Thin devices are numbered with 24 bits in dm-thin's metadata; all drivers keep to that. */
export const DEVICE_ID_MAX = 0xff_ff_ff;
