/** What is asked of the devices of pools in service. Callers hold a share of the pool's turn. */
import { KeyedMutex } from '../../base/mutex.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { DeviceInfo } from '../device-info.ts';
import type { DeviceUsage } from '../driver.ts';
import { findDeviceUsers, findOwnMounts } from './device-users.ts';
import { publicPrefix } from './pool-backing.ts';
import type { ServedPool } from './served-pool.ts';

export interface NewDeviceRequest {
  /** The pool's default if absent; of a snapshot its origin's size. */
  readonly sizeBytes?: number;
  readonly snapshotOf?: string;
}

export interface DeviceView extends DeviceInfo {
  readonly ownBytes: number;
  readonly sharedBytes: number;
  readonly isActive: boolean;
  /** Of its block device, while it is active. */
  readonly path?: string;
}

/** What the kernel takes for a name. */
const PUBLIC_NAME_BYTES_MAX = 127;
const USAGES_PARALLEL = 4;
const NONE: DeviceUsage = { ownBytes: 0, sharedBytes: 0 };

export class PoolDevices {
  /** By the name that a device has where those of all pools are together. */
  readonly #names = new KeyedMutex<string>();
  readonly #isTaken: (publicName: string, pool: string) => string | undefined;

  /** `isTaken` tells the pool other than this one that has a device of that public name. */
  constructor(isTaken: (publicName: string, pool: string) => string | undefined) {
    this.#isTaken = isTaken;
  }

  async list(pool: ServedPool): Promise<readonly DeviceView[]> {
    const usages = await pool.driver.usages?.();
    const infos = [...pool.metadata.walkDevices()];
    const views: DeviceView[] = new Array(infos.length);
    const next = infos.entries();
    const work = async (): Promise<void> => {
      for (const [index, info] of next) {
        views[index] = await view(pool, info, usages === undefined ? undefined : (usages.get(info.deviceId) ?? NONE));
      }
    };
    await Promise.all(Array.from({ length: USAGES_PARALLEL }, work));
    return views;
  }

  /**
   * Creates the device and activates it. One that is there is activated, if it is as it is asked for.
   * @throws DunnageError ALREADY_EXISTS, NOT_FOUND (the origin), NO_SPACE, INVALID_ARGUMENT
   */
  async put(pool: ServedPool, name: string, wanted: NewDeviceRequest): Promise<DeviceView> {
    const publicName = this.#publicName(pool, name);
    await this.#names.run(publicName, async () => {
      const there = pool.metadata.findDevice(name);
      if (there !== undefined && there.state !== 'Faulty') {
        requireSame(there, wanted);
        await pool.device.activateDevice(name);
        return;
      }
      const other = this.#isTaken(publicName, pool.spec.name);
      if (other !== undefined) {
        throw new DunnageError('ALREADY_EXISTS', `the pool ${other} has a device that is called ${publicName} too`, {
          remedy: 'take another name: devices of all pools are together in devices/',
        });
      }
      const { snapshotOf, sizeBytes } = wanted;
      if (snapshotOf === undefined) {
        await pool.device.createThinDevice(name, sizeBytes ?? pool.spec.deviceSizeBytes);
      } else {
        const origin = pool.metadata.getDevice(snapshotOf);
        await pool.device.createSnapshotDevice(snapshotOf, name, sizeBytes ?? origin.sizeBytes);
      }
    });
    return await this.#look(pool, name);
  }

  async activate(pool: ServedPool, name: string): Promise<DeviceView> {
    await pool.device.activateDevice(name);
    return await this.#look(pool, name);
  }

  /** @throws DunnageError BUSY, with who uses it */
  async deactivate(pool: ServedPool, name: string): Promise<DeviceView> {
    await whileNamingUsers(pool, name, () => pool.device.deactivateDevice(name));
    return await this.#look(pool, name);
  }

  /** Its content is lost. @throws DunnageError BUSY, with who uses it */
  async remove(pool: ServedPool, name: string): Promise<void> {
    await whileNamingUsers(pool, name, () => pool.device.removeDevice(name));
    pool.keeper.notice();
  }

  async #look(pool: ServedPool, name: string): Promise<DeviceView> {
    return await view(pool, pool.metadata.getDevice(name), undefined);
  }

  #publicName(pool: ServedPool, name: string): string {
    const publicName = publicPrefix(pool.spec.name) + name;
    if (Buffer.byteLength(publicName) <= PUBLIC_NAME_BYTES_MAX) return publicName;
    throw new DunnageError('INVALID_ARGUMENT', `${JSON.stringify(publicName)} is too long for the name of a device`, {
      remedy: `take at most ${PUBLIC_NAME_BYTES_MAX} bytes for pool and device together`,
    });
  }
}

/**
 * If it fails because the device is busy, the error says who uses it. One that is mounted is not tried at all: that does not end by itself, as
 * a look of a program at a new device does.
 */
export async function whileNamingUsers<T>(pool: ServedPool, name: string, task: () => Promise<T>): Promise<T> {
  const path = pool.device.path(name);
  const { areWritersStopped } = await pool.driver.status();
  // Each try would let those who wait write on, until the pool is really full.
  const found = areWritersStopped === true ? await findDeviceUsers(path) : await findOwnMounts(path);
  if (found.length > 0) throw inUse(pool, name, found);
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof DunnageError && error.code === 'BUSY')) throw error;
    const users = await findDeviceUsers(path);
    throw users.length === 0 ? error : inUse(pool, name, users, error);
  }
}

function inUse(pool: ServedPool, name: string, users: readonly string[], cause?: DunnageError): DunnageError {
  return new DunnageError('BUSY', `device ${name} of pool ${pool.spec.name} is in use: ${users.join('; ')}`, {
    remedy: 'unmount it, and end those who have it open',
    cause,
  });
}

/** `known`: its usage, if somebody has looked already. */
async function view(pool: ServedPool, info: DeviceInfo, known: DeviceUsage | undefined): Promise<DeviceView> {
  const isActive = await pool.driver.isActive(info.name);
  const path = isActive ? { path: pool.device.path(info.name) } : {};
  return { ...info, ...(known ?? (await usageOf(pool, info))), isActive, ...path };
}

/** None of one that the pool does not have (any more). */
async function usageOf(pool: ServedPool, { deviceId }: DeviceInfo): Promise<DeviceUsage> {
  try {
    return await pool.driver.usage(deviceId);
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') return NONE;
    throw error;
  }
}

function requireSame(there: DeviceInfo, { sizeBytes, snapshotOf }: NewDeviceRequest): void {
  const differences = [
    ...(sizeBytes !== undefined && sizeBytes !== there.sizeBytes ? [`has ${there.sizeBytes} bytes`] : []),
    ...((snapshotOf ?? '') === there.parentName
      ? []
      : [there.parentName === '' ? 'is no snapshot' : `is a snapshot of ${there.parentName}`]),
  ];
  if (differences.length === 0) return;
  throw new DunnageError(
    'ALREADY_EXISTS',
    `there is a device ${there.name} already, which ${differences.join(' and ')}`,
    {
      remedy: 'take another name, or delete it first',
    },
  );
}
