/** A pool in service: its devices, and who looks after its space. */
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { DriverDevice, PoolDriver, PoolSizes, PoolStatus } from '../driver.ts';
import { PoolDevice } from '../pool-device.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import type { PoolSpec } from '../pool-spec.ts';
import { PoolKeeper } from '../space/pool-keeper.ts';
import type { PoolSpaceEvent, SpaceReport } from '../space/pool-space.ts';
import type { TrimReport } from '../space/trim-pool.ts';

export interface ServedPoolOptions {
  readonly spec: PoolSpec;
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly log: Log;
  readonly onSpaceEvent: (event: PoolSpaceEvent) => void;
  readonly onTrim: (report: TrimReport) => void;
}

export interface PoolFigures {
  readonly status: PoolStatus;
  readonly space: SpaceReport;
  /** Sentences about its space. */
  readonly warnings: readonly string[];
}

export class ServedPool {
  readonly spec: PoolSpec;
  readonly driver: PoolDriver;
  readonly device: PoolDevice;
  readonly keeper: PoolKeeper;
  readonly #log: Log;

  private constructor({ spec, driver, log }: ServedPoolOptions, device: PoolDevice, keeper: PoolKeeper) {
    this.spec = spec;
    this.driver = driver;
    this.device = device;
    this.keeper = keeper;
    this.#log = log;
  }

  /** Puts it into service, its devices with it. Throws what keeps the whole pool from that. */
  static async open(options: ServedPoolOptions): Promise<ServedPool> {
    const { spec, driver, metadata, log, onSpaceEvent, onTrim } = options;
    const keeper = new PoolKeeper({
      ...{ driver, metadata, log, onTrim, onEvent: onSpaceEvent },
      ...(spec.overcommit && { overcommit: spec.overcommit }),
      ...(spec.trimIntervalMs !== undefined && { trimEveryMs: spec.trimIntervalMs }),
    });
    const { discardBlocks } = spec;
    const device = await PoolDevice.open({ driver, metadata, log, discardBlocks, admit: keeper.admit });
    await keeper.start();
    return new ServedPool(options, device, keeper);
  }

  get metadata(): PoolMetadata {
    return this.device.metadata;
  }

  async figures(): Promise<PoolFigures> {
    const [status, space] = [await this.driver.status(), await this.keeper.look()];
    return { status, space, warnings: this.keeper.warnings };
  }

  /** What the pool really has, by id. */
  async reality(): Promise<ReadonlyMap<number, DriverDevice>> {
    return new Map((await this.driver.list()).map((device) => [device.id, device]));
  }

  /** As large as its description says, and as the block devices it lies on are. @throws DunnageError NO_SPACE, INVALID_ARGUMENT */
  async grow(): Promise<void> {
    await this.driver.grow?.(sizesOf(this.spec));
    this.keeper.notice();
  }

  /** It takes no changes any more, or wants to be looked at out of service. */
  async wantsRest(): Promise<boolean> {
    try {
      const { isReadOnly, needsCheck } = await this.driver.status();
      return isReadOnly || needsCheck;
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'CORRUPT') return true;
      throw error;
    }
  }

  /** Devices stay active, and users of them notice nothing. */
  async close(): Promise<void> {
    await this.keeper.close();
    await this.device.close();
  }

  /**
   * Takes out of service what nobody uses: devices, and without any that are in use the pool. The next start brings all of it back.
   * Resolves to the names of those that stay because somebody uses them.
   */
  async rest(): Promise<readonly string[]> {
    await this.keeper.close();
    const inUse: string[] = [];
    for (const name of this.metadata.getDeviceNames()) {
      try {
        if (!(await this.driver.isActive(name))) continue;
        // A suspended device keeps its state, and no waiting write is lost: whoever writes has it open.
        await this.driver.deactivate(name, { deferred: false, force: false });
      } catch (error) {
        this.#log.warn({ pool: this.spec.name, device: name, reason: reasonOf(error) }, 'a thin device stays active');
        inUse.push(name);
      }
    }
    if (inUse.length === 0) await this.driver.destroy();
    await this.device.close();
    return inUse;
  }
}

/** Of files. How large a block device is it says itself. */
function sizesOf({ place }: PoolSpec): PoolSizes {
  if (place.kind === 'file') return { dataBytes: place.sizeBytes };
  if (place.kind !== 'device-mapper') return {};
  const { data, metadata } = place;
  return {
    ...(data.kind === 'file' && { dataBytes: data.sizeBytes }),
    ...(metadata.kind === 'file' && { metadataBytes: metadata.sizeBytes }),
  };
}
