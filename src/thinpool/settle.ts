/**
 * Makes a record and the pool agree: finishes or undoes what an operation left half done, and brings back what a restart of the host
 * took away. Which of it, the table SETTLEMENTS says. What can neither be finished nor undone becomes Faulty; nothing here throws
 * because of one device.
 *
 * Preconditions of all: the lock of the device is held, or nothing else runs yet.
 */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { DeviceInfo } from './device-info.ts';
import { type DeviceState, SETTLEMENTS, type Settlement } from './device-states.ts';
import type { DriverDevice } from './driver.ts';
import { type PoolParts, reasonOf } from './pool-parts.ts';
import { BUSY_RETRIES, retry, SUSPEND_RETRIES } from './retry.ts';

export type Outcome = 'kept' | 'activated' | 'resumed' | 'finished' | 'undone' | 'waiting' | 'faulty';

export interface Settled {
  readonly name: string;
  readonly from: DeviceState;
  readonly outcome: Outcome;
  /** For `faulty` and `waiting`: why. */
  readonly reason?: string;
}

/** What the pool really has, by id. */
export type Reality = ReadonlyMap<number, DriverDevice>;

export async function readReality(parts: PoolParts): Promise<Reality> {
  return new Map((await parts.driver.list()).map((device) => [device.id, device]));
}

/** `isTrusted` is false if the metadata are older than the pool: then nothing is deleted on their word. */
export async function settleDevice(
  parts: PoolParts,
  info: DeviceInfo,
  reality: Reality,
  isTrusted: boolean,
): Promise<Settled> {
  const settled = (outcome: Outcome, reason?: string): Settled => ({
    name: info.name,
    from: info.state,
    outcome,
    ...(reason === undefined ? {} : { reason }),
  });
  try {
    return settled(await new Settler(parts, info, reality, isTrusted).settle());
  } catch (error) {
    const reason = reasonOf(error);
    const { log, metadata } = parts;
    const isBusy =
      error instanceof DunnageError && error.code === 'BUSY' && SETTLEMENTS[info.state] === 'finish-remove';
    log.error(
      { pool: metadata.pool, device: info.name, state: info.state, error: reason },
      'a thin device is not as it should be',
    );
    if (isBusy) {
      // Its removal goes on with the next start, repair or removal.
      metadata.updateDeviceBuffered(info.name, (draft) => {
        draft.error = reason;
      });
      return settled('waiting', reason);
    }
    // If the metadata are not trusted, a repair shall not delete either.
    await metadata.markFaulty(info.name, reason, isTrusted ? info.state : 'Deactivated');
    return settled('faulty', reason);
  }
}

class Settler {
  readonly #parts: PoolParts;
  readonly #info: DeviceInfo;
  readonly #there: DriverDevice | undefined;
  readonly #isTrusted: boolean;

  constructor(parts: PoolParts, info: DeviceInfo, reality: Reality, isTrusted: boolean) {
    this.#parts = parts;
    this.#info = info;
    this.#there = reality.get(info.deviceId);
    this.#isTrusted = isTrusted;
  }

  async settle(): Promise<Outcome> {
    const settlement = SETTLEMENTS[this.#info.state];
    if (this.#info.state === 'Faulty') return 'kept';
    if (!this.#isTrusted && (settlement === 'undo' || settlement === 'finish-remove')) {
      throw new DunnageError('CORRUPT', 'the metadata are older than the pool: nothing is deleted on their word');
    }
    if (settlement === 'undo' || settlement === 'finish-remove') return await this.#remove(settlement);
    if (this.#there === undefined) {
      if (this.#info.state === 'Removed') return 'kept';
      throw new DunnageError(
        'CORRUPT',
        `the pool has no device with the id ${this.#info.deviceId}: its content is lost`,
      );
    }
    if (this.#there.isActive && this.#there.name !== this.#info.name) {
      throw new DunnageError('BUSY', `id ${this.#info.deviceId} is active under another name: ${this.#there.name}`);
    }
    return await this.#bring(settlement);
  }

  async #bring(settlement: Settlement): Promise<Outcome> {
    switch (settlement) {
      case 'finish-activate':
        await this.#makeLive();
        this.#note('Activated');
        return 'finished';
      case 'keep-active':
        return await this.#keepActive();
      case 'keep-suspended':
        if (this.#there?.isSuspended === true) {
          await this.#fit();
          return 'kept';
        }
        return await this.#keepActive();
      case 'finish-deactivate':
        if (this.#there?.isActive === true) await this.#makeLive();
        await this.#parts.driver.deactivate(this.#info.name, { deferred: true, force: false });
        this.#note('Deactivated');
        return 'finished';
      default:
        return 'kept';
    }
  }

  async #keepActive(): Promise<Outcome> {
    const { state } = this.#info;
    const wasLive = this.#there?.isActive === true;
    const wasSuspended = this.#there?.isSuspended === true;
    await this.#makeLive();
    const goal: DeviceState = state === 'Resuming' || state === 'Resumed' ? 'Resumed' : 'Activated';
    if (goal !== state) this.#note(goal);
    if (!wasLive) return 'activated';
    return wasSuspended ? 'resumed' : 'kept';
  }

  /** Active, and writes go on: nobody else would let them. */
  async #makeLive(): Promise<void> {
    const { driver, wait } = this.#parts;
    const { name, deviceId, sizeBytes } = this.#info;
    if (this.#there?.isActive !== true) await driver.activate(name, deviceId, sizeBytes);
    else if (this.#there.isSuspended) await retry(SUSPEND_RETRIES, wait, () => driver.resume(name));
    await this.#fit();
  }

  /** A process that died while the device grew had written its new size down. */
  async #fit(): Promise<void> {
    const { name, sizeBytes } = this.#info;
    if ((this.#there?.sizeBytes ?? sizeBytes) < sizeBytes) await this.#parts.driver.resize(name, sizeBytes);
  }

  async #remove(settlement: 'undo' | 'finish-remove'): Promise<Outcome> {
    const { metadata } = this.#parts;
    const isOurs = this.#there?.name === this.#info.name;
    if (isOurs) await this.#makeLive();
    await deleteDevice(this.#parts, this.#info, isOurs);
    metadata.removeDeviceBuffered(this.#info.name);
    return settlement === 'undo' ? 'undone' : 'finished';
  }

  #note(state: DeviceState): void {
    this.#parts.metadata.updateDeviceBuffered(this.#info.name, (draft) => {
      draft.state = state;
      draft.error = '';
    });
  }
}

/** The device goes from kernel and pool, if it is there; its record stays. */
export async function deleteDevice({ driver, wait }: PoolParts, info: DeviceInfo, isActive: boolean): Promise<void> {
  if (isActive) {
    await retry(BUSY_RETRIES, wait, () => driver.deactivate(info.name, { deferred: false, force: false }));
  }
  try {
    await retry(BUSY_RETRIES, wait, () => driver.delete(info.deviceId));
  } catch (error) {
    if (!(error instanceof DunnageError && error.code === 'NOT_FOUND')) throw error;
  }
}
