/** A new pool of the device-mapper on two block devices, or in two files. */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatBytes } from '../../base/units.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { type BackingPaths, openBacking } from './backing.ts';
import { DeviceMapper } from './control.ts';
import { assertParameters, DEFAULT_PARAMETERS, type PoolParameters, poolTarget } from './pool-table.ts';
import { assertUnused, readMetadataContent, zeroMetadata } from './superblock.ts';
import { findSignatures } from './thin-tools.ts';

export interface NewPool extends BackingPaths {
  readonly native: NativeBinding;
  readonly pool: string;
  readonly parameters?: Partial<PoolParameters>;
  /** What the two devices hold is overwritten, whatever it is. */
  readonly isForced?: boolean;
}

const METADATA_BYTES_MIN = 2 * 1024 * 1024;
const METADATA_BYTES_MAX = 16 * 1024 ** 3;
/** For each block of data, with room for snapshots. */
const METADATA_BYTES_PER_BLOCK = 64;

/** What the metadata of a pool of that size need: more than that is of no use beyond 16 GiB. */
export function metadataSizeBytes(dataBytes: number, blockBytes: number = DEFAULT_PARAMETERS.blockBytes): number {
  const wanted = Math.ceil(((dataBytes / blockBytes) * METADATA_BYTES_PER_BLOCK) / 4096) * 4096;
  return Math.min(METADATA_BYTES_MAX, Math.max(METADATA_BYTES_MIN, wanted));
}

/**
 * Makes the pool; it is not in service afterwards. Throws ALREADY_EXISTS if the metadata device holds a pool or anything else (and
 * `isForced` is not said), BUSY if somebody uses one of the devices.
 */
export async function createDeviceMapperPool(options: NewPool): Promise<void> {
  const parameters = { ...DEFAULT_PARAMETERS, ...options.parameters };
  assertParameters(parameters);
  const mapper = DeviceMapper.open(options.native);
  try {
    if ((await mapper.status(options.pool)) !== undefined) {
      throw new DunnageError('ALREADY_EXISTS', `the kernel has a device of the name ${options.pool} already`);
    }
    const backing = await openBacking(options.native, options);
    try {
      const { data, metadata } = backing;
      assertUnused(data.path);
      assertNothingThere(options.metadataPath, metadata.path, options.isForced === true);
      if (options.isForced !== true) await assertNoSignatures(options.dataPath, data.path);
      zeroMetadata(metadata.path);
      // The kernel writes the metadata of a new pool, and holds what it lies on alone.
      await mapper.create(options.pool, `DUNNAGE-POOL-${options.pool}`);
      try {
        await mapper.load(options.pool, [poolTarget(data.sizeBytes, metadata, data, parameters)]);
        await mapper.resume(options.pool);
      } catch (error) {
        if (!(error instanceof DunnageError && error.code === 'NO_SPACE')) throw error;
        const wantedBytes = metadataSizeBytes(data.sizeBytes, parameters.blockBytes);
        throw new DunnageError(
          'NO_SPACE',
          `${options.metadataPath} of ${formatBytes(metadata.sizeBytes)} is too small for the metadata of a pool`,
          { remedy: `Take a device of ${formatBytes(wantedBytes)} or more for the metadata.`, cause: error },
        );
      } finally {
        await mapper.remove(options.pool, false);
      }
    } finally {
      backing.release();
    }
  } finally {
    mapper.close();
  }
}

/** Two files of their full size: the space is taken now, and cannot be missing later. Throws ALREADY_EXISTS, NO_SPACE. */
export async function makePoolFiles(
  native: NativeBinding,
  paths: BackingPaths,
  dataBytes: number,
  blockBytes?: number,
): Promise<void> {
  const made: string[] = [];
  try {
    for (const [path, sizeBytes] of [
      [paths.metadataPath, metadataSizeBytes(dataBytes, blockBytes)],
      [paths.dataPath, dataBytes],
    ] as const) {
      await makePoolFile(native, path, sizeBytes);
      made.push(path);
    }
  } catch (error) {
    for (const path of made) rmSync(path, { force: true });
    throw error;
  }
}

/** One such file. One that cannot be made whole leaves nothing. Throws ALREADY_EXISTS, NO_SPACE. */
export async function makePoolFile(native: NativeBinding, path: string, sizeBytes: number): Promise<void> {
  let isMade = false;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, 'wx', 0o600);
    isMade = true;
    try {
      ftruncateSync(file, sizeBytes);
      await native.allocateSpace(file, sizeBytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isMade) rmSync(path, { force: true });
    throw fromSystemError(error, `cannot make ${path} for a pool`);
  }
}

/** File systems, partitions and the like: whoever has them would not want them overwritten. */
async function assertNoSignatures(shown: string, path: string): Promise<void> {
  const found = await findSignatures(path);
  if (found === '') return;
  throw new DunnageError('ALREADY_EXISTS', `${shown} holds something already: ${found}`, {
    remedy: `Choose another device, or empty it: wipefs --all ${shown}`,
  });
}

function assertNothingThere(shown: string, path: string, isForced: boolean): void {
  const { kind } = readMetadataContent(path);
  if (kind === 'empty' || isForced) return;
  const what = kind === 'pool' ? 'a thin pool' : 'something';
  throw new DunnageError('ALREADY_EXISTS', `${shown} holds ${what} already`, {
    remedy:
      kind === 'pool'
        ? 'Open that pool, or overwrite it by force.'
        : `Choose another device, or empty it: wipefs --all ${shown}`,
  });
}
