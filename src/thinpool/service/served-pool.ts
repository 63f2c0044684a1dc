/** A pool in service: its devices, its space, and who looks after them. */
import type { Log } from '../../base/log.ts';
import type { DriverDevice, PoolDriver, PoolStatus } from '../driver.ts';
import { PoolDevice } from '../pool-device.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import type { PoolSpec } from '../pool-spec.ts';
import { PoolSpace, type PoolSpaceEvent, type SpaceReport } from '../space/pool-space.ts';

export interface ServedPoolOptions {
  readonly spec: PoolSpec;
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly log: Log;
  readonly onSpaceEvent: (event: PoolSpaceEvent) => void;
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
  readonly space: PoolSpace;
  readonly #log: Log;

  private constructor({ spec, driver, log }: ServedPoolOptions, device: PoolDevice, space: PoolSpace) {
    this.spec = spec;
    this.driver = driver;
    this.device = device;
    this.space = space;
    this.#log = log;
  }

  /** Puts it into service, its devices with it. Throws what keeps the whole pool from that. */
  static async open(options: ServedPoolOptions): Promise<ServedPool> {
    const { spec, driver, metadata, log, onSpaceEvent } = options;
    const space = new PoolSpace({
      driver,
      promisedBytes: () => promisedBytes(metadata),
      ...(spec.overcommit && { overcommit: spec.overcommit }),
      onEvent: onSpaceEvent,
    });
    const device = await PoolDevice.open({
      ...{ driver, metadata, log, discardBlocks: spec.discardBlocks },
      admit: (sizeBytes) => space.admit(sizeBytes),
    });
    return new ServedPool(options, device, space);
  }

  get metadata(): PoolMetadata {
    return this.device.metadata;
  }

  async figures(): Promise<PoolFigures> {
    const status = await this.driver.status();
    return { status, space: await this.space.look(), warnings: [] };
  }

  /** What the pool really has, by id. */
  async reality(): Promise<ReadonlyMap<number, DriverDevice>> {
    return new Map((await this.driver.list()).map((device) => [device.id, device]));
  }

  /** Devices stay active, and users of them notice nothing. */
  async close(): Promise<void> {
    await this.device.close();
  }

  /**
   * Takes out of service what nobody uses: devices, and without any that are in use the pool. The next start brings all of it back.
   * Resolves to the names of those that stay because somebody uses them.
   */
  async rest(): Promise<readonly string[]> {
    const inUse: string[] = [];
    const active = (await this.driver.list()).flatMap(({ name }) => (name === undefined ? [] : [name]));
    for (const name of active) {
      try {
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

export function promisedBytes(metadata: PoolMetadata): number {
  let sum = 0;
  for (const { sizeBytes } of metadata.walkDevices()) sum += sizeBytes;
  return sum;
}
