/** What a pool lies on: two block devices, or for development two files, each behind a loop device. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import type { PoolSizes } from '../driver.ts';
import { growFile } from '../grow-file.ts';
import { splitDevice } from './nodes.ts';
import type { DeviceNumber } from './pool-table.ts';

export interface BackingPaths {
  /** Where the content goes. */
  readonly dataPath: string;
  /** Which block belongs to which device: about a thousandth of the data, at least 2 MiB. */
  readonly metadataPath: string;
}

export interface BackingDevice extends DeviceNumber {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isLoop: boolean;
}

/** Held open until the pool itself holds them: a loop device goes with its last user. */
export interface Backing {
  readonly data: BackingDevice;
  readonly metadata: BackingDevice;
  release(): void;
}

/** Throws NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (neither block device nor file). */
export async function openBacking(native: NativeBinding, paths: BackingPaths): Promise<Backing> {
  const descriptors: number[] = [];
  const release = (): void => {
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
  };
  try {
    const data = await openOne(native, paths.dataPath, descriptors);
    const metadata = await openOne(native, paths.metadataPath, descriptors);
    if (data.major === metadata.major && data.minor === metadata.minor) {
      throw new DunnageError('INVALID_ARGUMENT', `data and metadata of a pool cannot both lie on ${paths.dataPath}`);
    }
    return { data, metadata, release };
  } catch (error) {
    release();
    throw fromSystemError(error, 'cannot use what the pool lies on');
  }
}

async function openOne(native: NativeBinding, path: string, descriptors: number[]): Promise<BackingDevice> {
  const found = statSync(path);
  if (found.isFile()) return await openLoop(native, path, descriptors);
  if (!found.isBlockDevice())
    throw new DunnageError('INVALID_ARGUMENT', `${path} is neither a block device nor a file`);
  const device = openSync(path, 'r');
  descriptors.push(device);
  return { path, ...splitDevice(found.rdev), sizeBytes: native.blockDeviceSize(device), isLoop: false };
}

/** One file has one loop device: two would each keep their own idea of what it holds. */
async function openLoop(native: NativeBinding, path: string, descriptors: number[]): Promise<BackingDevice> {
  const file = openSync(path, 'r+');
  try {
    const there = await findLoop(native, file, descriptors);
    if (there !== undefined) return there;
    const { number, descriptor } = await native.attachLoop(file, 0, true);
    descriptors.push(descriptor);
    return describeLoop(native, number, descriptor);
  } finally {
    closeSync(file);
  }
}

async function findLoop(
  native: NativeBinding,
  file: number,
  descriptors: number[],
): Promise<BackingDevice | undefined> {
  const { dev, ino } = fstatSync(file, { bigint: true });
  for (const { number, backingFile } of await native.listLoops()) {
    // Only one that seems to be ours is opened: those of others may let whoever opens them wait.
    const backing = statSync(backingFile, { bigint: true, throwIfNoEntry: false });
    if (backing?.dev !== dev || backing.ino !== ino) continue;
    const device = openSync(`/dev/loop${number}`, 'r');
    const status = await native.loopStatus(device).catch(() => undefined);
    if (
      status !== undefined &&
      BigInt(status.backingDevice) === dev &&
      status.backingInode === ino &&
      status.offsetBytes === 0
    ) {
      descriptors.push(device);
      // The file may have been made longer since.
      await native.growLoop(device);
      return describeLoop(native, number, device);
    }
    closeSync(device);
  }
  return undefined;
}

function describeLoop(native: NativeBinding, number: number, descriptor: number): BackingDevice {
  const { rdev } = fstatSync(descriptor);
  return {
    path: `/dev/loop${number}`,
    ...splitDevice(rdev),
    sizeBytes: native.blockDeviceSize(descriptor),
    isLoop: true,
  };
}

/** Makes files longer, and takes the space for it now. Throws INVALID_ARGUMENT (smaller, or no file), NO_SPACE. */
export async function growBacking(native: NativeBinding, paths: BackingPaths, sizes: PoolSizes): Promise<void> {
  const wanted = [
    [paths.metadataPath, sizes.metadataBytes],
    [paths.dataPath, sizes.dataBytes],
  ] as const;
  for (const [path, sizeBytes] of wanted) {
    if (sizeBytes === undefined) continue;
    if (!statSync(path).isFile()) {
      throw new DunnageError('INVALID_ARGUMENT', `${path} is no file: its size is not for the pool to say`, {
        remedy: 'make the block device itself larger; the pool takes in what is new',
      });
    }
    await growFile(native, path, sizeBytes);
  }
}
