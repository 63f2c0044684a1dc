/** A PoolDevice over a driver under test, with metadata of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import { PoolDevice, type PoolDeviceOptions } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import type { DriverSubject, DriverSubjectFactory } from './subject.ts';

/** Declares a test that gets a new subject. */
export type PoolScene = (name: string, body: (subject: PoolSubject) => Promise<void>) => void;

export class PoolSubject {
  readonly #subject: DriverSubject;
  readonly #stateDir: string;
  #metadata: PoolMetadata;
  driver: PoolDriver;
  pool: PoolDevice;

  private constructor(subject: DriverSubject, stateDir: string, metadata: PoolMetadata, pool: PoolDevice) {
    this.#subject = subject;
    this.#stateDir = stateDir;
    this.#metadata = metadata;
    this.driver = subject.driver;
    this.pool = pool;
  }

  static async make(factory: DriverSubjectFactory): Promise<PoolSubject> {
    const subject = await factory();
    const stateDir = mkdtempSync(join(tmpdir(), 'dunnage-pool-state-'));
    const metadata = openMetadata(stateDir);
    return new PoolSubject(subject, stateDir, metadata, await openPool(subject.driver, metadata));
  }

  get metadata(): PoolMetadata {
    return this.#metadata;
  }

  /** As another process, after this one has ended in order; `change` is made in between. */
  async restart(change?: (subject: PoolSubject) => Promise<void>): Promise<void> {
    await this.#again(change, () => this.#subject.reopen());
  }

  /** As after a restart of the host. */
  async reboot(change?: (subject: PoolSubject) => Promise<void>): Promise<void> {
    await this.#again(change, () => this.#subject.reboot());
  }

  async cleanup(): Promise<void> {
    await this.pool.close();
    await this.#metadata.close();
    rmSync(this.#stateDir, { recursive: true, force: true });
    await this.#subject.cleanup();
  }

  async #again(
    change: ((subject: PoolSubject) => Promise<void>) | undefined,
    next: () => Promise<PoolDriver>,
  ): Promise<void> {
    await change?.(this);
    await this.pool.close();
    await this.#metadata.close();
    this.driver = await next();
    this.#metadata = openMetadata(this.#stateDir);
    this.pool = await openPool(this.driver, this.#metadata);
  }
}

function openMetadata(stateDir: string): PoolMetadata {
  return PoolMetadata.open({ stateDir, pool: 'test', log: silentLog });
}

/** Tries of what is busy follow at once, but not all of them: a test that expects BUSY should not take ten seconds. */
export async function openPool(
  driver: PoolDriver,
  metadata: PoolMetadata,
  options: Partial<PoolDeviceOptions> = {},
): Promise<PoolDevice> {
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
  return await PoolDevice.open({ driver, metadata, log: silentLog, wait, ...options });
}
