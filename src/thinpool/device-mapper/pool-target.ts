/** The pool's own device in the kernel: put into service, brought up to date with its parameters, taken out of service. */
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { type Backing, type BackingPaths, openBacking } from './backing.ts';
import type { DeviceMapper } from './control.ts';
import {
  assertParameters,
  DEFAULT_PARAMETERS,
  type DeviceNumber,
  isSamePool,
  type PoolParameters,
  type PoolTargetStatus,
  parsePoolStatus,
  poolTarget,
  usableMetadataBytes,
  usesSameDevices,
} from './pool-table.ts';
import { readMetadataContent } from './superblock.ts';
import { checkMetadata } from './thin-tools.ts';
import type { Target } from './wire.ts';

export interface PoolTargetOptions extends BackingPaths {
  readonly native: NativeBinding;
  readonly pool: string;
  readonly parameters?: Partial<PoolParameters>;
  readonly log: Log;
}

export class PoolTarget {
  readonly parameters: PoolParameters;
  readonly #mapper: DeviceMapper;
  readonly #options: PoolTargetOptions;
  #metadataPath = '';

  constructor(mapper: DeviceMapper, options: PoolTargetOptions) {
    this.parameters = { ...DEFAULT_PARAMETERS, ...options.parameters };
    assertParameters(this.parameters);
    this.#mapper = mapper;
    this.#options = options;
  }

  /**
   * Throws NOT_FOUND (no pool was ever made there), CORRUPT (the metadata are damaged), BUSY (the kernel has another pool of that
   * name, or somebody else uses what this one lies on).
   */
  async putIntoService(): Promise<void> {
    const backing = await openBacking(this.#options.native, this.#options);
    try {
      const { data, metadata } = backing;
      this.#metadataPath = metadata.path;
      const wanted = poolTarget(data.sizeBytes, metadata, data, this.parameters);
      const there = await this.#mapper.status(this.#options.pool);
      if (there?.isLoaded === true) await this.#bringUpToDate(wanted, metadata.sizeBytes);
      else await this.#start(wanted, backing, there !== undefined);
      if (data.isLoop || metadata.isLoop) {
        this.#options.log.warn(
          { pool: this.#options.pool },
          'the pool lies in files: for development, not for data that matter',
        );
      }
    } finally {
      backing.release();
    }
    // A process that died while it read the metadata left the copy behind.
    if ((await this.status()).hasMetadataSnapshot) await this.message('release_metadata_snap');
  }

  /** BUSY while a device of the pool is active. One that is not in service stays so. */
  async takeOutOfService(): Promise<void> {
    if ((await this.#mapper.status(this.#options.pool)) !== undefined)
      await this.#mapper.remove(this.#options.pool, false);
  }

  async number(): Promise<DeviceNumber> {
    const status = await this.#mapper.status(this.#options.pool);
    if (status !== undefined) return { major: status.major, minor: status.minor };
    throw new DunnageError('NOT_FOUND', `failed to query pool "${this.#options.pool}": it is not in service`);
  }

  /** Throws CORRUPT if the pool does not work any more. */
  async status(): Promise<PoolTargetStatus> {
    const [target] = await this.#mapper.targetStatus(this.#options.pool);
    return parsePoolStatus(target?.parameters ?? '', this.parameters.blockBytes);
  }

  /**
   * Throws NO_SPACE or CORRUPT, with what to do, if the pool takes no changes any more. The kernel answers yes before it has written the
   * change, and keeps to itself that it could not; so it is asked afterwards.
   */
  async message(message: string): Promise<void> {
    try {
      await this.#mapper.message(this.#options.pool, message);
    } catch (error) {
      if (!(error instanceof DunnageError && error.code === 'READ_ONLY')) throw error;
      throw this.#whyNoChanges(await this.status(), error);
    }
    const status = await this.status();
    if (status.isReadOnly || status.needsCheck) throw this.#whyNoChanges(status, undefined);
  }

  /** `read` gets the path of the metadata while the pool holds a copy of them. Preconditions: nobody else does this now. */
  async withMetadataSnapshot<T>(read: (metadataPath: string) => Promise<T>): Promise<T> {
    await this.message('reserve_metadata_snap');
    try {
      return await read(this.#metadataPath);
    } finally {
      await this.message('release_metadata_snap');
    }
  }

  #whyNoChanges({ metadataUsedBytes, metadataTotalBytes, needsCheck }: PoolTargetStatus, cause: unknown): DunnageError {
    const { pool } = this.#options;
    const used = `${metadataUsedBytes} of ${metadataTotalBytes} bytes of metadata are used`;
    if (needsCheck) {
      return new DunnageError('CORRUPT', `pool ${pool} takes no changes before it was checked; ${used}`, {
        remedy:
          'Take it out of service, make its metadata device larger if that is full, and repair it: dunnage pool repair',
        cause,
      });
    }
    return new DunnageError('NO_SPACE', `pool ${pool} takes no changes: ${used}`, {
      remedy: 'Make its metadata device larger, or remove devices.',
      cause,
    });
  }

  async #start(wanted: Target, backing: Backing, isThere: boolean): Promise<void> {
    const { pool } = this.#options;
    const content = readMetadataContent(backing.metadata.path);
    if (content.kind !== 'pool') {
      throw new DunnageError('NOT_FOUND', `there is no thin pool in ${this.#options.metadataPath}`, {
        remedy: 'Make one with: dunnage pool create. If there was one, its metadata are lost: look at the disk first.',
      });
    }
    if (content.blockBytes !== this.parameters.blockBytes) {
      const message = `pool ${pool} was made with blocks of ${content.blockBytes} bytes, not ${this.parameters.blockBytes}`;
      throw new DunnageError('INVALID_ARGUMENT', message);
    }
    const problem = await checkMetadata(backing.metadata.path);
    if (problem !== undefined) {
      throw new DunnageError('CORRUPT', `the metadata of pool ${pool} are damaged: ${problem}`, {
        remedy: 'Repair them: dunnage pool repair',
      });
    }
    if (!isThere) await this.#mapper.create(pool, `DUNNAGE-POOL-${pool}`);
    try {
      await this.#mapper.load(pool, [wanted]);
      await this.#mapper.resume(pool);
    } catch (error) {
      await this.#mapper.remove(pool, false).catch((reason: unknown) => {
        this.#options.log.warn(
          { pool, error: String(reason) },
          'cannot remove a pool that could not be put into service',
        );
      });
      throw error;
    }
  }

  /** Another length or other parameters are put in force under the users of the pool. */
  async #bringUpToDate(wanted: Target, metadataBytes: number): Promise<void> {
    const { pool, log } = this.#options;
    const [there] = await this.#mapper.table(pool);
    if (there === undefined || there.type !== wanted.type || !usesSameDevices(there, wanted)) {
      throw new DunnageError(
        'BUSY',
        `the kernel has another device of the name ${pool}: ${there?.type} ${there?.parameters}`,
        {
          remedy: 'Choose another name for the pool, or take that one out of service.',
        },
      );
    }
    if (!isSamePool(there, wanted)) {
      if (wanted.lengthSectors < there.lengthSectors) {
        throw new DunnageError('INVALID_ARGUMENT', `the data device of pool ${pool} has become smaller than the pool`);
      }
      log.info({ pool, from: there, to: wanted }, 'the parameters of the pool change');
      await this.#mapper.load(pool, [wanted]);
      await this.#mapper.suspend(pool);
    } else if (usableMetadataBytes(metadataBytes) > (await this.status()).metadataTotalBytes) {
      log.info({ pool, metadataBytes }, 'the metadata of the pool have more room');
      // The kernel looks at its size when the pool is resumed.
      await this.#mapper.suspend(pool);
    }
    // Also if a process died between the two.
    await this.#mapper.resume(pool);
  }
}
