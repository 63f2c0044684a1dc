/**
 * Both sides of the figures of thin pools: a pool in a file of the disk that is measured, as the daemon would run it, and a plain
 * folder on the pool's own file system for what is done by hand.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log.ts';
import { PoolDevice } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../src/thinpool/reflink/reflink-driver.ts';
import { PoolSpace } from '../../src/thinpool/space/pool-space.ts';
import { skipUnlessScratch } from '../tools/scratch-file-system.ts';

const POOL = 'measured';

export class ThinPoolSide {
  readonly pool: PoolDevice;
  /** Beside the images of the pool. */
  readonly plainFolder: string;
  readonly #folder: string;
  readonly #metadata: PoolMetadata;
  readonly #runtimeFolder: string;

  private constructor(folder: string, runtimeFolder: string, metadata: PoolMetadata, pool: PoolDevice) {
    this.#folder = folder;
    this.#runtimeFolder = runtimeFolder;
    this.#metadata = metadata;
    this.pool = pool;
    this.plainFolder = join(runtimeFolder, 'pools', POOL, 'fs', 'by-hand');
    mkdirSync(this.plainFolder);
  }

  /** A string is the reason why nothing can be measured here. */
  static async make(parent: string, sizeBytes: number, mayOvercommit = false): Promise<ThinPoolSide | string> {
    const obstacle = skipUnlessScratch('xfs');
    if (obstacle !== false) return obstacle;
    const folder = mkdtempSync(join(parent, 'dp-'));
    // As on a host: what is forgotten with a restart lies on a tmpfs.
    const runtimeDir = mkdtempSync('/dev/shm/dp-');
    const place = { kind: 'file', path: join(folder, 'pool') } as const;
    const options: ReflinkOptions = { poolName: POOL, place, runtimeDir, log: silentLog };
    await ReflinkDriver.create(options, sizeBytes);
    const driver = new ReflinkDriver(options);
    const metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: POOL, log: silentLog });
    const promisedBytes = (): number => metadata.promisedBytes;
    const overcommit = mayOvercommit ? { overcommit: { highWaterPercent: 95 } } : {};
    const space = new PoolSpace({ driver, promisedBytes, ...overcommit, onEvent: () => undefined });
    const pool = await PoolDevice.open({ driver, metadata, log: silentLog, admit: (bytes) => space.admit(bytes) });
    return new ThinPoolSide(folder, runtimeDir, metadata, pool);
  }

  /** The file of a device, which `pool` should not have active then. */
  imagePath(name: string): string {
    const { deviceId } = this.#metadata.getDevice(name);
    return join(this.#runtimeFolder, 'pools', POOL, 'fs', 'devices', `${deviceId}.img`);
  }

  /** With all that is in the pool. */
  async close(): Promise<void> {
    await this.pool.removePool();
    await this.pool.close();
    await this.#metadata.close();
    for (const folder of [this.#folder, this.#runtimeFolder]) rmSync(folder, { recursive: true, force: true });
  }
}
