/**
 * A pool of thin devices: the one implementation of their life, whatever the driver makes them of.
 *
 * Every operation writes down what it tries, durably; acts; writes down what it has done. A process that dies in between leaves a
 * record that the next start finishes or undoes (settle.ts). Operations on different devices run side by side; those on one device, and a
 * snapshot with its origin, one after another.
 *
 * Lock order: the locks of devices, by name; transactions of the metadata are taken within and never across an await.
 */
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type Admit, type Creation, createDevice } from './create-device.ts';
import type { DeviceInfo } from './device-info.ts';
import { DeviceLocks } from './device-locks.ts';
import { assertDeviceName, assertDeviceSize } from './device-names.ts';
import { DEVICE_OPERATIONS, type DeviceOperationName, type DeviceState, isInBetween } from './device-states.ts';
import type { DeactivateOptions, DeviceUsage, PoolDriver, PoolStatus } from './driver.ts';
import type { PoolMetadata } from './pool-metadata.ts';
import { advanceClock, type PoolParts, reasonOf } from './pool-parts.ts';
import { type RepairOptions, type RepairReport, repairPool } from './repair.ts';
import { BUSY_RETRIES, retry, SUSPEND_RETRIES, type Wait } from './retry.ts';
import { deleteDevice, readReality, settleDevice } from './settle.ts';
import { type StartReport, startPool } from './start.ts';
import { TransactionClock } from './transaction-clock.ts';

export interface PoolDeviceOptions {
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly log: Log;
  /** Give the blocks of a removed device back to what the pool lies on. */
  readonly discardBlocks?: boolean;
  /** Asked before anything is promised to a device; whoever has no room throws NO_SPACE. */
  readonly admit?: Admit;
  /** Between tries of what is busy. */
  readonly wait?: Wait;
}

/** The state that a device is in if its operation fails now. */
interface Progress {
  state: DeviceState;
}

const realWait: Wait = (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs));

export class PoolDevice {
  readonly metadata: PoolMetadata;
  /** What the start found and did. */
  readonly startReport: StartReport;
  readonly #parts: PoolParts;
  readonly #locks: DeviceLocks;
  readonly #options: PoolDeviceOptions;
  #isClosed = false;

  private constructor(options: PoolDeviceOptions, parts: PoolParts, startReport: StartReport) {
    this.metadata = options.metadata;
    this.startReport = startReport;
    this.#parts = parts;
    this.#locks = new DeviceLocks();
    this.#options = options;
  }

  /**
   * Puts the pool into service and brings its devices in order: those that were active are active again, what was interrupted is finished
   * or undone. A device with which that fails is Faulty and stops nobody else. Throws what the driver's `open` throws.
   */
  static async open(options: PoolDeviceOptions): Promise<PoolDevice> {
    const { driver, metadata, log, wait = realWait } = options;
    await driver.open();
    try {
      const transaction = await driver.transaction();
      const parts = { driver, metadata, log, wait, clock: new TransactionClock(driver, transaction) };
      return new PoolDevice(options, parts, await startPool(parts, transaction));
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  /**
   * A new empty device, active. Throws ALREADY_EXISTS, INVALID_ARGUMENT, NO_SPACE and what the driver throws; nothing is left of it then,
   * or a Faulty device if not even that could be done.
   */
  async createThinDevice(name: string, sizeBytes: number): Promise<DeviceInfo> {
    const { driver } = this.#parts;
    const creation = { device: { name, sizeBytes }, create: (id: number) => driver.createThin(id) };
    return await this.#locked([name], () => this.#create(creation));
  }

  /**
   * A copy of what the origin holds now, active, and at least as large. The origin may be in use: its writes wait for the moment.
   * Throws NOT_FOUND, what `createThinDevice` throws, and TIMED_OUT if the origin could not be held for so long.
   */
  async createSnapshotDevice(originName: string, name: string, sizeBytes: number): Promise<DeviceInfo> {
    return await this.#locked([originName, name], async () => {
      const origin = this.metadata.getDevice(originName);
      if (origin.state === 'Faulty') throw refused(origin, 'be copied');
      if (sizeBytes < origin.sizeBytes) {
        const message = `snapshot ${name} of ${sizeBytes} bytes would cut off the end of ${originName}`;
        throw new DunnageError('INVALID_ARGUMENT', `${message}, which has ${origin.sizeBytes}`);
      }
      const create = (id: number): Promise<void> => this.#copyHeld(origin, id);
      return await this.#create({ device: { name, sizeBytes, parentName: originName }, create });
    });
  }

  /** Makes an existing device active. One that is active stays so. Throws NOT_FOUND and what the driver throws. */
  async activateDevice(name: string): Promise<void> {
    await this.#locked([name], () =>
      this.#transition(name, 'activate', async ({ deviceId, sizeBytes }) => {
        const { driver, wait } = this.#parts;
        if (!(await driver.isActive(name))) await driver.activate(name, deviceId, sizeBytes);
        else await retry(SUSPEND_RETRIES, wait, () => driver.resume(name));
      }),
    );
  }

  /** Writes to the device wait from now on. Throws NOT_FOUND and, after three tries, what the driver throws. */
  async suspendDevice(name: string): Promise<void> {
    const { driver, wait } = this.#parts;
    await this.#locked([name], () =>
      this.#transition(name, 'suspend', () => retry(SUSPEND_RETRIES, wait, () => driver.suspend(name))),
    );
  }

  async resumeDevice(name: string): Promise<void> {
    const { driver, wait } = this.#parts;
    await this.#locked([name], () =>
      this.#transition(name, 'resume', () => retry(SUSPEND_RETRIES, wait, () => driver.resume(name))),
    );
  }

  /**
   * The block device goes; the content stays. Without `deferred` somebody who has it open is waited for, ten seconds at most (BUSY).
   * What is not active stays as it is.
   */
  async deactivateDevice(name: string, options: Partial<DeactivateOptions> = {}): Promise<void> {
    const { deferred = false, force = false } = options;
    await this.#locked([name], () => this.#deactivate(name, { deferred, force }));
  }

  /** The device and its content are gone for good, and its id is free. Throws NOT_FOUND; BUSY if somebody has it open for ten seconds. */
  async removeDevice(name: string): Promise<void> {
    await this.#locked([name], () => this.#remove(name));
  }

  /** Larger, under its users. Throws INVALID_ARGUMENT (smaller), NO_SPACE. */
  async growDevice(name: string, sizeBytes: number): Promise<DeviceInfo> {
    assertDeviceSize(name, sizeBytes);
    return await this.#locked([name], async () => {
      const before = this.metadata.getDevice(name);
      if (before.state === 'Faulty') throw refused(before, 'grow');
      if (sizeBytes < before.sizeBytes) {
        throw new DunnageError(
          'INVALID_ARGUMENT',
          `thin device ${name} cannot become smaller than ${before.sizeBytes} bytes`,
        );
      }
      const admission = await this.#options.admit?.(sizeBytes - before.sizeBytes);
      let growing: Promise<DeviceInfo>;
      try {
        // First written down: an activation after a crash gives the new size, and nobody loses an end that was written to.
        growing = this.metadata.updateDevice(name, (draft) => {
          draft.sizeBytes = sizeBytes;
        });
      } finally {
        // Counted from now on, see createDevice.
        admission?.release();
      }
      const info = await growing;
      const { driver } = this.#parts;
      if (await driver.isActive(name)) await driver.resize(name, sizeBytes);
      return info;
    });
  }

  /** Bytes of the pool that a device uses, alone and with others. Throws NOT_FOUND. */
  async getUsage(name: string): Promise<DeviceUsage & { readonly usedBytes: number }> {
    const { ownBytes, sharedBytes } = await this.#parts.driver.usage(this.metadata.getDevice(name).deviceId);
    return { ownBytes, sharedBytes, usedBytes: ownBytes + sharedBytes };
  }

  /** Active, and writes go on. */
  async isActivated(name: string): Promise<boolean> {
    return (await this.isLoaded(name)) && this.metadata.findDevice(name)?.state !== 'Suspended';
  }

  /** Active, suspended or not. */
  async isLoaded(name: string): Promise<boolean> {
    return await this.#parts.driver.isActive(name);
  }

  /** Where the block device of an active device is. */
  path(name: string): string {
    return this.#parts.driver.path(name);
  }

  async status(): Promise<PoolStatus> {
    return await this.#parts.driver.status();
  }

  /** Settles Faulty devices again and frees ids that were set aside, without stopping anybody. */
  async repair(options: RepairOptions = {}): Promise<RepairReport> {
    this.#assertOpen();
    return await repairPool(this.#parts, this.#locks, options);
  }

  /**
   * Deactivates every device, by force and at the latest when its last user goes, and takes the pool out of service. All data stay where
   * they are: opened again, the pool has them. Throws what went wrong, all of it in one error.
   */
  async removePool(): Promise<void> {
    const { driver, wait } = this.#parts;
    const problems: string[] = [];
    const attempt = (work: Promise<void>): Promise<void> =>
      work.catch((error: unknown) => void problems.push(reasonOf(error)));
    const names = this.metadata.getDeviceNames();
    await Promise.all(names.map((name) => attempt(this.#locked([name], () => this.#putAway(name)))));
    await attempt(retry(BUSY_RETRIES, wait, () => driver.destroy()));
    if (problems.length > 0) {
      throw new DunnageError('BUSY', `pool ${this.metadata.pool} cannot be removed: ${problems.join('; ')}`);
    }
  }

  /** Devices stay active. Waits for operations under way; calling it again is fine. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#locks.ended();
    await this.#parts.driver.close();
  }

  /** Runs `task` when nothing else runs on these devices, and after what an earlier failure left half done was settled. */
  async #locked<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    for (const name of names) assertDeviceName(name);
    return await this.#locks.run(names, async () => {
      this.#assertOpen();
      for (const name of names) {
        const info = this.metadata.findDevice(name);
        if (info !== undefined && isInBetween(info.state)) {
          await settleDevice(this.#parts, info, await readReality(this.#parts), true);
        }
      }
      return await task();
    });
  }

  async #create(creation: Creation): Promise<DeviceInfo> {
    assertDeviceSize(creation.device.name, creation.device.sizeBytes);
    return await createDevice(this.#parts, creation, this.#options.admit);
  }

  /** Preconditions: the lock of the origin is held. */
  async #copyHeld(origin: DeviceInfo, id: number): Promise<void> {
    const { driver, wait, log } = this.#parts;
    const isHeldHere = origin.state !== 'Suspended' && (await driver.isActive(origin.name));
    if (isHeldHere) await retry(SUSPEND_RETRIES, wait, () => driver.suspend(origin.name));
    try {
      await driver.createSnapshot(id, origin.deviceId);
    } finally {
      // If the process dies before this, the start resumes: the origin's record says that it takes writes.
      if (isHeldHere) {
        await retry(SUSPEND_RETRIES, wait, () => driver.resume(origin.name)).catch((error: unknown) => {
          log.error(
            { device: origin.name, error: reasonOf(error) },
            'a device could not be resumed after a snapshot of it',
          );
        });
      }
    }
  }

  /** Writes that wait in a suspended device are done before it goes. */
  async #letGoOn(name: string, progress: Progress): Promise<void> {
    if (progress.state !== 'Suspended') return;
    const { driver, wait } = this.#parts;
    await retry(SUSPEND_RETRIES, wait, () => driver.resume(name));
    progress.state = 'Resumed';
  }

  async #deactivate(name: string, options: DeactivateOptions): Promise<void> {
    const { driver, wait } = this.#parts;
    const { state } = this.metadata.getDevice(name);
    if (!(await driver.isActive(name))) {
      // Somebody else has deactivated it: the next start must not bring it back.
      if (DEVICE_OPERATIONS.suspend.from.includes(state)) await this.metadata.changeDeviceState(name, 'Deactivated');
      return;
    }
    const act = async (progress: Progress): Promise<void> => {
      await this.#letGoOn(name, progress);
      await retry(BUSY_RETRIES, wait, () => driver.deactivate(name, options));
    };
    await this.#transition(name, 'deactivate', (_, progress) => act(progress));
  }

  async #putAway(name: string): Promise<void> {
    const { state } = this.metadata.getDevice(name);
    if (state === 'Faulty') await this.#parts.driver.deactivate(name, { deferred: true, force: true });
    else await this.#deactivate(name, { deferred: true, force: true });
  }

  async #remove(name: string): Promise<void> {
    const { driver, metadata, log } = this.#parts;
    const isActive = await driver.isActive(name);
    const before = metadata.getDevice(name);
    if (!DEVICE_OPERATIONS.remove.from.includes(before.state)) throw refused(before, 'be removed');
    const { transaction } = await metadata.changeDeviceStateNumbered(name, 'Removing');
    const progress: Progress = { state: before.state };
    try {
      if (isActive) await this.#letGoOn(name, progress);
      if (isActive && this.#options.discardBlocks === true) {
        // Its blocks return to the pool in any case.
        await driver.discard(name).catch((error: unknown) => {
          log.warn({ device: name, error: reasonOf(error) }, 'the blocks of a device could not be discarded');
        });
      }
      await deleteDevice(this.#parts, before, isActive);
    } catch (error) {
      const isStillActive = await driver.isActive(name).catch(() => false);
      metadata.updateDeviceBuffered(name, (draft) => {
        draft.state = isActive && !isStillActive ? 'Deactivated' : progress.state;
        draft.error = reasonOf(error);
      });
      throw error;
    }
    metadata.removeDeviceBuffered(name);
    await advanceClock(this.#parts, transaction);
  }

  /** Trying state, durably; `act`; done state. If the act fails the device is as it was, and the record says why. */
  async #transition(
    name: string,
    operation: DeviceOperationName,
    act: (info: DeviceInfo, progress: Progress) => Promise<void>,
  ): Promise<void> {
    const { trying, done, from } = DEVICE_OPERATIONS[operation];
    const before = this.metadata.getDevice(name);
    if (!from.includes(before.state)) throw refused(before, operation);
    await this.metadata.changeDeviceState(name, trying);
    const progress: Progress = { state: before.state };
    try {
      await act(before, progress);
    } catch (error) {
      this.metadata.updateDeviceBuffered(name, (draft) => {
        draft.state = progress.state;
        draft.error = reasonOf(error);
      });
      throw error;
    }
    this.metadata.updateDeviceBuffered(name, (draft) => {
      draft.state = done;
      draft.error = '';
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DunnageError('INTERRUPTED', `pool ${this.metadata.pool} is being closed`);
  }
}

function refused({ name, state, error }: DeviceInfo, what: string): DunnageError {
  if (state === 'Faulty') {
    return new DunnageError('CORRUPT', `thin device ${name} is Faulty and cannot ${what}: ${error}`, {
      remedy: 'Repair its pool, or remove the device.',
    });
  }
  return new DunnageError('BUSY', `thin device ${name} is ${state} and cannot ${what}`);
}
