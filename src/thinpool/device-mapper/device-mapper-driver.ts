/**
 * Thin pools of the kernel: the targets `thin-pool` and `thin` of the device-mapper.
 *
 * The pool is the kernel's device `<pool>`, a thin device its device `<pool>-<name>`. What is active the kernel knows; which ids exist, and
 * who shares what, only the metadata on disk say, which thin-provisioning-tools read from a copy that the pool holds meanwhile.
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { Log } from '../../base/log.ts';
import { KeyedMutex } from '../../base/mutex.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { assertDeviceSize } from '../device-names.ts';
import type { DeactivateOptions, DeviceUsage, DriverDevice, PoolDriver, PoolSizes, PoolStatus } from '../driver.ts';
import { type BackingPaths, growBacking } from './backing.ts';
import { DeviceMapper, type DeviceStatus } from './control.ts';
import { watchDeviceMapper } from './events.ts';
import { waitForSpaceWithoutEnd } from './no-space-timeout.ts';
import { DeviceNodes, kernelName } from './nodes.ts';
import { type PoolParameters, SECTOR_BYTES, thinIdOf, thinTarget } from './pool-table.ts';
import { PoolTarget } from './pool-target.ts';
import { type DifferentRange, findDifferences, listThinDevices, type ThinRow } from './thin-tools.ts';
import type { Target } from './wire.ts';

export interface DeviceMapperDriverOptions extends BackingPaths {
  readonly native: NativeBinding;
  readonly pool: string;
  /** Of the nodes of active devices. */
  readonly nodesDirectory: string;
  /** In front of their names there, if several pools share the directory. */
  readonly namePrefix?: string;
  readonly parameters?: Partial<PoolParameters>;
  /** Writes to the full pool wait as long as it takes: for pools that promise more than they have. */
  readonly waitsForSpace?: boolean;
  readonly log: Log;
}

interface ActiveDevice {
  readonly name: string;
  readonly id: number;
  readonly status: DeviceStatus;
  readonly sizeBytes: number;
}

const UUID_PREFIX = 'DUNNAGE-';

export class DeviceMapperDriver implements PoolDriver {
  readonly kind = 'devicemapper';
  readonly #options: DeviceMapperDriverOptions;
  readonly #nodes: DeviceNodes;
  readonly #mapper: DeviceMapper;
  readonly #pool: PoolTarget;
  /** The pool can hold one copy of its metadata. */
  readonly #reading: KeyedMutex<'metadata'> = new KeyedMutex();
  /** Id -> name of what this process believes to be active; asked again before it is relied on. */
  readonly #believed: Map<number, string> = new Map();

  /** Throws MISSING_DEPENDENCY if this kernel has no device-mapper. */
  constructor(options: DeviceMapperDriverOptions) {
    this.#options = options;
    this.#nodes = new DeviceNodes(options.native, options.nodesDirectory, options.namePrefix);
    this.#mapper = DeviceMapper.open(options.native);
    this.#pool = new PoolTarget(this.#mapper, options);
  }

  async open(): Promise<void> {
    const { waitsForSpace = false, log } = this.#options;
    this.#nodes.prepare();
    await this.#pool.putIntoService();
    if (waitsForSpace) waitForSpaceWithoutEnd(log);
    this.#nodes.sweep();
    for (const { name, id, status } of await this.#active()) {
      this.#believed.set(id, name);
      if (!status.isRemovalDeferred) this.#nodes.make(name, status);
    }
  }

  async close(): Promise<void> {
    this.#mapper.close();
  }

  async destroy(): Promise<void> {
    if ((await this.#active()).length > 0)
      throw new DunnageError('BUSY', `devices of pool ${this.#options.pool} are active`);
    await this.#pool.takeOutOfService();
  }

  async createThin(id: number): Promise<void> {
    await this.#pool.message(`create_thin ${id}`);
  }

  async createSnapshot(id: number, originId: number): Promise<void> {
    await this.#pool.message(`create_snap ${id} ${originId}`);
  }

  async delete(id: number): Promise<void> {
    await this.#pool.message(`delete ${id}`);
  }

  async activate(name: string, id: number, sizeBytes: number): Promise<void> {
    assertDeviceSize(name, sizeBytes);
    await this.#assertIdIsFree(name, id);
    const device = kernelName(this.#options.pool, name);
    const there = await this.#mapper.status(device);
    if (there?.isLoaded === true) {
      await this.#keep(name, id, there);
      return;
    }
    // A process that died here may have left a device without a table.
    if (there === undefined) await this.#mapper.create(device, UUID_PREFIX + device);
    try {
      await this.#mapper.load(device, [thinTarget(sizeBytes, await this.#pool.number(), id)]);
      await this.#mapper.resume(device);
      this.#nodes.make(name, await this.#requireStatus(name));
    } catch (error) {
      await this.#mapper.remove(device, false).catch((reason: unknown) => {
        this.#options.log.warn({ device, error: String(reason) }, 'cannot remove a device that could not be activated');
      });
      throw error;
    }
    this.#believed.set(id, name);
  }

  async resize(name: string, sizeBytes: number): Promise<void> {
    assertDeviceSize(name, sizeBytes);
    const device = kernelName(this.#options.pool, name);
    const { isSuspended } = await this.#requireStatus(name);
    const { id, lengthSectors } = await this.#requireThin(name);
    if (sizeBytes < lengthSectors * SECTOR_BYTES)
      throw new DunnageError('INVALID_ARGUMENT', `${name} would become smaller`);
    await this.#mapper.load(device, [thinTarget(sizeBytes, await this.#pool.number(), id)]);
    await this.#mapper.suspend(device);
    await this.#mapper.resume(device);
    if (isSuspended) await this.#mapper.suspend(device);
  }

  async deactivate(name: string, { deferred, force }: DeactivateOptions): Promise<void> {
    const device = kernelName(this.#options.pool, name);
    const there = await this.#mapper.status(device);
    if (there === undefined) {
      this.#nodes.remove(name);
      return;
    }
    // Before its number can come to mean another device.
    this.#nodes.remove(name);
    try {
      await this.#remove(device, deferred, force);
    } catch (error) {
      if (there.isLoaded) this.#nodes.make(name, there);
      throw error;
    }
  }

  async suspend(name: string): Promise<void> {
    if (!(await this.#requireStatus(name)).isSuspended)
      await this.#mapper.suspend(kernelName(this.#options.pool, name));
  }

  async resume(name: string): Promise<void> {
    if ((await this.#requireStatus(name)).isSuspended) await this.#mapper.resume(kernelName(this.#options.pool, name));
  }

  async isActive(name: string): Promise<boolean> {
    return (await this.#mapper.status(kernelName(this.#options.pool, name)))?.isLoaded === true;
  }

  async discard(name: string): Promise<void> {
    const { openCount } = await this.#requireStatus(name);
    if (openCount > 0) throw new DunnageError('BUSY', `somebody has ${name} open`);
    try {
      // Exclusive: nobody mounts it meanwhile.
      const device = openSync(this.path(name), constants.O_RDWR | constants.O_EXCL);
      try {
        await this.#options.native.discardBlocks(device, 0, this.#options.native.blockDeviceSize(device));
      } finally {
        closeSync(device);
      }
    } catch (error) {
      throw fromSystemError(error, `cannot discard the blocks of ${name}`);
    }
  }

  path(name: string): string {
    return this.#nodes.path(name);
  }

  async usage(id: number): Promise<DeviceUsage> {
    const usage = (await this.usages()).get(id);
    if (usage !== undefined) return usage;
    throw new DunnageError('NOT_FOUND', `pool ${this.#options.pool} has no device with the id ${id}`);
  }

  async usages(): Promise<ReadonlyMap<number, DeviceUsage>> {
    const { blockBytes } = this.#pool.parameters;
    const rows = await this.#readRows();
    return new Map(
      rows.map(({ id, ownBlocks, sharedBlocks }) => [
        id,
        { ownBytes: ownBlocks * blockBytes, sharedBytes: sharedBlocks * blockBytes },
      ]),
    );
  }

  async status(): Promise<PoolStatus> {
    const { transaction: _, hasMetadataSnapshot: __, ...status } = await this.#pool.status();
    const { lowWaterBlocks, blockBytes } = this.#pool.parameters;
    const freeBytes = status.dataTotalBytes - status.dataUsedBytes;
    return { ...status, isBelowLowWater: freeBytes <= lowWaterBlocks * blockBytes };
  }

  async grow(sizes: PoolSizes): Promise<void> {
    await growBacking(this.#options.native, this.#options, sizes);
    // It has the same name and other sizes.
    await this.#pool.putIntoService();
  }

  async watch(onEvent: () => void): Promise<(() => void) | undefined> {
    return await watchDeviceMapper(this.#options.native, onEvent, this.#options.log);
  }

  async list(): Promise<readonly DriverDevice[]> {
    const rows = await this.#readRows();
    const active = new Map((await this.#active()).map((device) => [device.id, device]));
    return rows.map(({ id }) => {
      const device = active.get(id);
      if (device === undefined) return { id, isActive: false, isSuspended: false };
      const { name, status, sizeBytes } = device;
      return { id, name, isActive: true, isSuspended: status.isSuspended, sizeBytes };
    });
  }

  async transaction(): Promise<number> {
    return (await this.#pool.status()).transaction;
  }

  async setTransaction(transaction: number): Promise<void> {
    await this.#pool.message(`set_transaction_id ${await this.transaction()} ${transaction}`);
  }

  /** Where two devices differ: what of one is to be read to have it from the other. Throws NOT_FOUND, MISSING_DEPENDENCY. */
  async differences(id: number, otherId: number): Promise<readonly DifferentRange[]> {
    const { blockBytes } = this.#pool.parameters;
    return await this.#reading.run('metadata', () =>
      this.#pool.withMetadataSnapshot((path) => findDifferences(path, id, otherId, blockBytes)),
    );
  }

  /** The kernel itself would let two devices of one id write over each other. */
  async #assertIdIsFree(name: string, id: number): Promise<void> {
    const other = this.#believed.get(id);
    if (other === undefined || other === name) return;
    if ((await this.isActive(other)) && (await this.#requireThin(other)).id === id) {
      throw new DunnageError('BUSY', `id ${id} of pool ${this.#options.pool} is active already, as ${other}`);
    }
    this.#believed.delete(id);
  }

  /** BUSY, unless it is just this device, on its way out: then it stays. */
  async #keep(name: string, id: number, there: DeviceStatus): Promise<void> {
    const found = thinIdOf(await this.#mapper.table(kernelName(this.#options.pool, name)), await this.#pool.number());
    if (found !== id || !there.isRemovalDeferred)
      throw new DunnageError('BUSY', `${name} of pool ${this.#options.pool} is active already`);
    await this.#mapper.message(kernelName(this.#options.pool, name), '@cancel_deferred_remove');
    this.#nodes.make(name, there);
  }

  /** By force its table is replaced by one that fails, but only if somebody has it open. */
  async #remove(device: string, deferred: boolean, force: boolean): Promise<void> {
    const [target] = force ? await this.#mapper.table(device) : [];
    const isInUse = ((await this.#mapper.status(device))?.openCount ?? 0) > 0;
    if (isInUse && target !== undefined) {
      await this.#mapper.load(device, [{ ...target, type: 'error', parameters: '' }]);
      await this.#mapper.suspend(device, true);
      await this.#mapper.resume(device);
    }
    await this.#mapper.remove(device, deferred);
  }

  async #requireStatus(name: string): Promise<DeviceStatus> {
    const status = await this.#mapper.status(kernelName(this.#options.pool, name));
    if (status?.isLoaded === true) return status;
    throw new DunnageError('NOT_FOUND', `${name} of pool ${this.#options.pool} is not active`);
  }

  async #requireThin(name: string): Promise<Target & { readonly id: number }> {
    const targets = await this.#mapper.table(kernelName(this.#options.pool, name));
    const id = thinIdOf(targets, await this.#pool.number());
    const [target] = targets;
    if (id !== undefined && target !== undefined) return { ...target, id };
    throw new DunnageError(
      'BUSY',
      `${kernelName(this.#options.pool, name)} is no thin device of pool ${this.#options.pool}`,
    );
  }

  async #active(): Promise<readonly ActiveDevice[]> {
    const prefix = kernelName(this.#options.pool, '');
    const pool = await this.#pool.number();
    const names = (await this.#mapper.names()).filter((name) => name.startsWith(prefix));
    const found = await Promise.all(
      names.map(async (device): Promise<ActiveDevice | undefined> => {
        const status = await this.#mapper.status(device);
        if (status?.isLoaded !== true) return undefined;
        const targets = await this.#tableOf(device);
        const id = thinIdOf(targets, pool);
        const sizeBytes = (targets[0]?.lengthSectors ?? 0) * SECTOR_BYTES;
        return id === undefined ? undefined : { name: device.slice(prefix.length), id, status, sizeBytes };
      }),
    );
    return found.filter((device) => device !== undefined);
  }

  /** Empty for one that went meanwhile, with its last user. */
  async #tableOf(device: string): Promise<readonly Target[]> {
    try {
      return await this.#mapper.table(device);
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'NOT_FOUND') return [];
      throw error;
    }
  }

  async #readRows(): Promise<readonly ThinRow[]> {
    return await this.#reading.run('metadata', () => this.#pool.withMetadataSnapshot(listThinDevices));
  }
}
