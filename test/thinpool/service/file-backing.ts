/** What a pool lies on, without a kernel: a folder in which a `FileDriver` works. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import type { PoolBacking } from '../../../src/thinpool/service/pool-backing.ts';
import { FileDriver } from '../helpers/file-driver.ts';

export class FileBacking implements PoolBacking {
  readonly #folder: string;
  readonly #see: (driver: PoolDriver) => PoolDriver;

  /** `see`: the driver as whoever asks for it shall see it. */
  constructor(folder: string, see: (driver: PoolDriver) => PoolDriver = (driver) => driver) {
    this.#folder = folder;
    this.#see = see;
  }

  get #marker(): string {
    return join(this.#folder, 'made');
  }

  async inspect(): Promise<'new' | 'pool'> {
    if (existsSync(this.#marker)) return 'pool';
    if (existsSync(this.#folder)) throw new DunnageError('ALREADY_EXISTS', 'it holds something already');
    return 'new';
  }

  async make(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    mkdirSync(this.#marker, { recursive: true });
  }

  async undo(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  driver(): PoolDriver {
    const driver = new FileDriver(this.#folder);
    const open = driver.open.bind(driver);
    driver.open = async (): Promise<void> => {
      if (!existsSync(this.#marker)) throw new DunnageError('NOT_FOUND', `${this.#folder} holds no pool`);
      await open();
    };
    return this.#see(driver);
  }

  async remove(): Promise<string> {
    await this.undo();
    return '';
  }
}
