/**
 * A disk in a file (on a tmpfs), cut into named slices as partitions would be, so that one power failure hits all of them at the same
 * moment. Optionally the kernel records every write to it (dm-log-writes).
 */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { loadNative } from '../../../src/native/load.ts';
import { DeviceMapper } from '../../../src/thinpool/device-mapper/control.ts';
import type { Target } from '../../../src/thinpool/device-mapper/wire.ts';

const SECTOR_BYTES = 512;

/** Name -> size in bytes, in the order in which they lie on the disk. */
export type Slices = Readonly<Record<string, number>>;

export const diskBytes = (slices: Slices): number => Object.values(slices).reduce((sum, bytes) => sum + bytes, 0);

export class SlicedDisk {
  readonly #mapper: DeviceMapper = DeviceMapper.open(loadNative());
  readonly #prefix: string;
  readonly #paths: Map<string, string> = new Map();
  /** In the order in which they were made. */
  readonly #devices: string[] = [];
  /** Held open: the loop devices go with them. */
  readonly #loops: number[] = [];

  private constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** With `logPath` (a file) writes are recorded there. `prefix`: of the kernel's names. */
  static async open(prefix: string, filePath: string, slices: Slices, logPath?: string): Promise<SlicedDisk> {
    const disk = new SlicedDisk(prefix);
    try {
      let whole = await disk.#attach(filePath);
      if (logPath !== undefined) {
        const parameters = `${whole} ${await disk.#attach(logPath)}`;
        whole = await disk.#make('recorded', diskBytes(slices), 'log-writes', parameters);
      }
      let startBytes = 0;
      for (const [name, sizeBytes] of Object.entries(slices)) {
        const path = await disk.#make(name, sizeBytes, 'linear', `${whole} ${startBytes / SECTOR_BYTES}`);
        disk.#paths.set(name, path);
        startBytes += sizeBytes;
      }
      return disk;
    } catch (error) {
      await disk.close();
      throw error;
    }
  }

  path(slice: string): string {
    const path = this.#paths.get(slice);
    assert.ok(path !== undefined);
    return path;
  }

  /** Between the writes that ended before and those that end later. */
  async mark(text: string): Promise<void> {
    await this.#mapper.message(`${this.#prefix}-recorded`, `mark ${text}`);
  }

  async close(): Promise<void> {
    for (const device of this.#devices.splice(0).reverse()) await this.#mapper.remove(device, false);
    for (const loop of this.#loops.splice(0)) closeSync(loop);
    this.#mapper.close();
  }

  async #attach(filePath: string): Promise<string> {
    const file = openSync(filePath, 'r+');
    try {
      const { number, descriptor } = await loadNative().attachLoop(file, 0, true);
      this.#loops.push(descriptor);
      return `/dev/loop${number}`;
    } finally {
      closeSync(file);
    }
  }

  async #make(name: string, sizeBytes: number, type: string, parameters: string): Promise<string> {
    const device = `${this.#prefix}-${name}`;
    const target: Target = { startSectors: 0, lengthSectors: sizeBytes / SECTOR_BYTES, type, parameters };
    await this.#mapper.create(device, `TEST-${device}`);
    this.#devices.push(device);
    await this.#mapper.load(device, [target]);
    await this.#mapper.resume(device);
    const status = await this.#mapper.status(device);
    assert.ok(status !== undefined);
    return `/dev/dm-${status.minor}`;
  }
}
