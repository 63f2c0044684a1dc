/** The making of a device: its record first, then the device in the pool, then its activation. */
import assert from 'node:assert/strict';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { DeviceInfo, NewDevice } from './device-info.ts';
import type { DeviceState } from './device-states.ts';
import { advanceClock, type PoolParts, reasonOf } from './pool-parts.ts';
import { deleteDevice } from './settle.ts';

/** Room that is held until the metadata count the device. */
export interface Admission {
  release(): void;
}

/** Throws NO_SPACE if so many more bytes cannot be promised. */
export type Admit = (sizeBytes: number) => Promise<Admission>;

export interface Creation {
  readonly device: Pick<NewDevice, 'name' | 'sizeBytes' | 'parentName'>;
  /** Makes it in the pool. Throws ALREADY_EXISTS if the pool has that id. */
  readonly create: (id: number) => Promise<void>;
}

const TAKEN = ['ALREADY_EXISTS', 'object already exists'] as const;

/** A pool with so many devices that nobody here made is somebody else's. */
const FOREIGN_IDS_MAX = 16;

/** Preconditions: the lock of the device is held. */
export async function createDevice(
  parts: PoolParts,
  creation: Creation,
  admit: Admit | undefined,
): Promise<DeviceInfo> {
  const { metadata, driver } = parts;
  const { name, sizeBytes } = creation.device;
  // A Faulty device can be replaced, but not while it is in use.
  if (await driver.isActive(name)) {
    const there = metadata.findDevice(name);
    const [code, reason] = there === undefined || there.state === 'Faulty' ? (['BUSY', 'is active'] as const) : TAKEN;
    throw new DunnageError(code, `thin device ${name} of pool ${metadata.pool}: ${reason}`);
  }
  const admission = await admit?.(sizeBytes);
  let adding: Promise<{ info: DeviceInfo; transaction: number }>;
  try {
    adding = metadata.addDeviceNumbered({ ...creation.device, state: 'Creating' });
  } finally {
    // The metadata count the device from now on, before it is on disk. To hold the room until then would be to count it twice.
    admission?.release();
  }
  const added = await adding;
  let info = added.info;
  try {
    info = await createWithFreeId(parts, info, creation.create);
    note(parts, name, 'Created');
    const advanced = advanceClock(parts, added.transaction);
    try {
      note(parts, name, 'Activating');
      await driver.activate(name, info.deviceId, sizeBytes);
    } finally {
      await advanced;
    }
    // Durable before the caller hears of it: a device in state Creating would be undone after a power failure.
    return await metadata.changeDeviceState(name, 'Activated');
  } catch (error) {
    await undo(parts, metadata.getDevice(name), error);
    throw error;
  }
}

/** Somebody may have made devices in the pool behind our back: those keep their ids, ours takes another one. */
async function createWithFreeId(parts: PoolParts, first: DeviceInfo, create: Creation['create']): Promise<DeviceInfo> {
  let info = first;
  for (let foreign = 0; foreign <= FOREIGN_IDS_MAX; foreign += 1) {
    try {
      await create(info.deviceId);
      return info;
    } catch (error) {
      if (!(error instanceof DunnageError && error.code === 'ALREADY_EXISTS') || foreign === FOREIGN_IDS_MAX)
        throw error;
      parts.log.warn(
        { device: info.name, id: info.deviceId },
        'the pool has a device of that id which nobody here made',
      );
      info = await parts.metadata.replaceId(info.name);
    }
  }
  assert.fail('the loop returns or throws');
}

/** Nothing is left of the device, or it is Faulty and a repair tries again. */
async function undo(parts: PoolParts, info: DeviceInfo, cause: unknown): Promise<void> {
  const { driver, metadata, log } = parts;
  // The id is not ours in that case.
  const isForeign = info.state === 'Creating' && cause instanceof DunnageError && cause.code === 'ALREADY_EXISTS';
  try {
    if (isForeign) await metadata.replaceId(info.name);
    else await deleteDevice(parts, info, await driver.isActive(info.name));
    metadata.removeDeviceBuffered(info.name);
  } catch (error) {
    const fields = { pool: metadata.pool, device: info.name, error: reasonOf(error) };
    log.error(fields, 'what is left of a device that could not be made cannot be removed');
    await metadata.markFaulty(
      info.name,
      `${reasonOf(cause)}; and it could not be removed: ${reasonOf(error)}`,
      'Creating',
    );
  }
}

function note({ metadata }: PoolParts, name: string, state: DeviceState): void {
  metadata.updateDeviceBuffered(name, (draft) => {
    draft.state = state;
  });
}
