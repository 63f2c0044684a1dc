/** A pool of the real device-mapper in two files, as a subject of the suites of thin pools. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { loadNative } from '../../../src/native/load.ts';
import { DeviceMapper } from '../../../src/thinpool/device-mapper/control.ts';
import { createDeviceMapperPool } from '../../../src/thinpool/device-mapper/create-pool.ts';
import { DeviceMapperDriver } from '../../../src/thinpool/device-mapper/device-mapper-driver.ts';
import type { PoolParameters } from '../../../src/thinpool/device-mapper/pool-table.ts';
import type { DriverSubject, DriverSuiteOptions } from '../../conformance/thinpool/subject.ts';

const MIB = 1024 * 1024;

/** Why there is no device-mapper here; false if there is. */
export function skipUnlessDeviceMapper(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: it makes block devices';
  if (!existsSync('/dev/mapper/control') || !existsSync('/sys/module/dm_thin_pool'))
    return 'needs dm-thin-pool in the kernel';
  return existsSync('/usr/sbin/thin_ls')
    ? false
    : 'needs thin_ls: apt-get install --no-install-recommends thin-provisioning-tools';
}

export const SUITE_OPTIONS: DriverSuiteOptions = { hasKernel: true, holdsRawWrites: true };

export interface PoolShape {
  readonly dataBytes?: number;
  readonly metadataBytes?: number;
  readonly parameters?: Partial<PoolParameters>;
  readonly waitsForSpace?: boolean;
}

export class DeviceMapperSubject implements DriverSubject {
  readonly folder: string;
  readonly pool: string;
  readonly #parameters: Partial<PoolParameters>;
  readonly #waitsForSpace: boolean;
  driver: DeviceMapperDriver;

  private constructor(folder: string, pool: string, parameters: Partial<PoolParameters>, waitsForSpace: boolean) {
    this.#waitsForSpace = waitsForSpace;
    this.folder = folder;
    this.pool = pool;
    this.#parameters = parameters;
    this.driver = this.newDriver();
  }

  static async make({
    dataBytes = 128 * MIB,
    metadataBytes = 4 * MIB,
    parameters = {},
    waitsForSpace = false,
  }: PoolShape = {}): Promise<DeviceMapperSubject> {
    const folder = mkdtempSync(join(tmpdir(), 'dunnage-dm-'));
    for (const [name, sizeBytes] of [
      ['data', dataBytes],
      ['metadata', metadataBytes],
    ] as const) {
      writeFileSync(join(folder, name), '');
      truncateSync(join(folder, name), sizeBytes);
    }
    const pool = `t${randomUUID().slice(0, 8)}`;
    const subject = new DeviceMapperSubject(folder, pool, parameters, waitsForSpace);
    await createDeviceMapperPool({ native: loadNative(), pool, ...subject.paths, parameters });
    await subject.driver.open();
    return subject;
  }

  get paths(): { readonly dataPath: string; readonly metadataPath: string } {
    return { dataPath: join(this.folder, 'data'), metadataPath: join(this.folder, 'metadata') };
  }

  newDriver(parameters: Partial<PoolParameters> = this.#parameters): DeviceMapperDriver {
    const nodesDirectory = join(this.folder, 'dev');
    return new DeviceMapperDriver({
      native: loadNative(),
      pool: this.pool,
      nodesDirectory,
      ...this.paths,
      parameters,
      waitsForSpace: this.#waitsForSpace,
      log: silentLog,
    });
  }

  async reopen(parameters?: Partial<PoolParameters>): Promise<DeviceMapperDriver> {
    await this.driver.close();
    this.driver = this.newDriver(parameters);
    await this.driver.open();
    return this.driver;
  }

  /** The kernel forgets everything; the nodes stay, as on a file system that is no tmpfs. */
  async reboot(): Promise<DeviceMapperDriver> {
    await this.forget();
    return await this.reopen();
  }

  async forget(): Promise<void> {
    const mapper = DeviceMapper.open(loadNative());
    const names = (await mapper.names()).filter((name) => name.startsWith(`${this.pool}-`));
    for (const name of names) {
      // One that waits for its last user may go just now.
      if ((await mapper.status(name)) === undefined) continue;
      await mapper.resume(name);
      await mapper.remove(name, false);
    }
    if ((await mapper.status(this.pool)) !== undefined) await mapper.remove(this.pool, false);
    mapper.close();
  }

  async cleanup(): Promise<void> {
    await this.driver.close();
    await this.forget();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
