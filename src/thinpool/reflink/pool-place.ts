/**
 * Where a pool of files lies: a directory that is the root of a file system of its own, a block device, or for development a file. The
 * last two are mounted privately below the runtime directory; the kernel undoes the loop device of a file with its last unmount.
 *
 * The file system must share blocks between files: XFS (made so by `formatPool`) or btrfs.
 */
import { constants } from 'node:fs';
import { mkdir, open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import type { Log } from '../../base/log.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { loadNative } from '../../native/load.ts';
import { systemCode, systemError } from '../../native/system-error.ts';
import { runProgram } from '../run-program.ts';

export type PoolPlace =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'device'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string };

const MKFS_TIMEOUT_MS = 300_000;
const MOUNT_TIMEOUT_MS = 120_000;
const DETACH_MS_MAX = 5_000;
const LET_GO_MS_MAX = 1_000;
const LOOK_EVERY_MS = 2;
/** Times of last access would be writes to the pool. */
const MOUNT_OPTIONS = 'noatime,nodev,nosuid,noexec';
/** Of a pool in a file, wherever the file is moved to. */
const FILE_SECTOR_BYTES = 4096;
/** mkfs.xfs makes nothing smaller. */
const FILE_BYTES_MIN = 300 * 1024 * 1024;

/**
 * Puts an XFS onto a device without a file system, or into a new file of that size, which is allocated at once. A file appears
 * complete or not at all.
 * @throws DunnageError ALREADY_EXISTS, INVALID_ARGUMENT, NO_SPACE, MISSING_DEPENDENCY
 */
export async function formatPool(place: PoolPlace, sizeBytes?: number): Promise<void> {
  if (place.kind === 'directory') return;
  if (place.kind === 'device') return await makeFileSystem(place.path, []);
  if (sizeBytes === undefined || !(sizeBytes >= FILE_BYTES_MIN)) {
    throw new DunnageError('INVALID_ARGUMENT', 'a pool in a file needs a size of at least 300 MiB');
  }
  if ((await stat(place.path).catch(() => undefined)) !== undefined) {
    throw new DunnageError('ALREADY_EXISTS', `${place.path} exists already`);
  }
  try {
    await makeFormattedFile(place.path, sizeBytes);
  } catch (error) {
    throw fromSystemError(error, `cannot make the pool ${place.path}`);
  }
}

/** It has no name until it is complete: so it is in nobody's way, nothing is overwritten, and of an interruption nothing is left. */
async function makeFormattedFile(path: string, sizeBytes: number): Promise<void> {
  const native = loadNative();
  const directory = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const file = await native.createUnnamedFile(directory.fd);
    try {
      await native.allocateSpace(file, sizeBytes);
      await withLoop(file, (device) => makeFileSystem(device, []));
      const [errno = 0] = await native.nameFiles([file], directory.fd, [basename(path)]);
      if (errno !== 0) throw systemError(getSystemErrorName(-errno), 'linkat', path, 'it cannot get its name');
    } finally {
      native.closeDescriptor(file);
    }
  } finally {
    await directory.close();
  }
}

/** Lends a file a loop device. It is gone again when this resolves, though others may look at all loop devices just now. */
async function withLoop(file: number, work: (device: string) => Promise<void>): Promise<void> {
  const native = loadNative();
  const { number, descriptor } = await native.attachLoop(file, FILE_SECTOR_BYTES, true);
  const shown = (): Promise<string> => readFile(`/sys/block/loop${number}/loop/backing_file`, 'utf8').catch(() => '');
  const mine = await shown();
  try {
    await work(`/dev/loop${number}`);
  } finally {
    native.closeDescriptor(descriptor);
  }
  for (
    let waitedMs = 0;
    waitedMs < DETACH_MS_MAX && mine !== '' && (await shown()) === mine;
    waitedMs += LOOK_EVERY_MS
  ) {
    await sleep(LOOK_EVERY_MS);
  }
}

async function makeFileSystem(path: string, more: readonly string[]): Promise<void> {
  // -K: discarding would give back what was allocated for the pool.
  const words = ['-q', '-K', '-m', 'reflink=1', ...more, path];
  await runProgram('mkfs.xfs', words, { timeoutMs: MKFS_TIMEOUT_MS, debPackage: 'xfsprogs' });
}

export interface MountedPlace {
  /** Root of the pool's file system, without links. */
  readonly path: string;
  /** Nothing but the pool is on that file system: it may be frozen. */
  readonly isOwnFileSystem: boolean;
  /** By this call. */
  readonly isMountedNow: boolean;
}

/** Finds the place mounted, or mounts it at `mountPoint`. @throws DunnageError NOT_FOUND, INVALID_ARGUMENT, ... */
export async function mountPlace(place: PoolPlace, mountPoint: string, log: Log): Promise<MountedPlace> {
  if (place.kind === 'directory') return await directoryPlace(place.path);
  const found = await findMount(mountPoint);
  if (found !== undefined) return { path: mountPoint, isOwnFileSystem: true, isMountedNow: false };
  await mkdir(mountPoint, { recursive: true, mode: 0o700 });
  if (place.kind === 'device') {
    await mountDevice(place.path, mountPoint);
  } else {
    log.warn(
      { file: place.path },
      'this pool lies in a file on another file system: good for development, slower and less safe',
    );
    await mountFile(place.path, mountPoint);
  }
  return { path: mountPoint, isOwnFileSystem: true, isMountedNow: true };
}

/** Unmounts what `mountPlace` has mounted; a directory stays as it is. @throws DunnageError BUSY */
export function unmountPlace(place: PoolPlace, mountPoint: string): void {
  if (place.kind === 'directory') return;
  try {
    loadNative().unmount(mountPoint, false);
  } catch (error) {
    // Not mounted.
    if (systemCode(error) !== 'EINVAL') throw fromSystemError(error, `cannot unmount the pool at ${mountPoint}`);
  }
}

async function directoryPlace(path: string): Promise<MountedPlace> {
  try {
    const real = await realpath(path);
    const [own, above] = await Promise.all([stat(real), stat(dirname(real))]);
    if (!own.isDirectory()) throw new DunnageError('NOT_A_DIRECTORY', `${real} is no directory`);
    const isRoot = (await findMount(real))?.root === '/';
    return { path: real, isOwnFileSystem: isRoot && own.dev !== above.dev, isMountedNow: false };
  } catch (error) {
    throw fromSystemError(error, `cannot use ${path} for a pool`);
  }
}

async function mountFile(path: string, mountPoint: string): Promise<void> {
  const native = loadNative();
  const file = await open(path, 'r+').catch((error: unknown) => {
    throw fromSystemError(error, `cannot open the pool ${path}`);
  });
  try {
    await awaitUnused({ kind: 'file', path });
    const loop = await native.attachLoop(file.fd, FILE_SECTOR_BYTES, true);
    try {
      await mountDevice(`/dev/loop${loop.number}`, mountPoint);
    } finally {
      native.closeDescriptor(loop.descriptor);
    }
  } catch (error) {
    throw fromSystemError(error, `cannot attach the pool ${path}`);
  } finally {
    await file.close();
  }
}

/**
 * Resolves when nobody has the blocks of the place mounted: below two mounts they would destroy each other. A mount that another mount
 * namespace has a copy of goes on there after its unmount here, and a file is let go of some time after the last one.
 * @throws DunnageError BUSY
 */
export async function awaitUnused(place: PoolPlace): Promise<void> {
  if (place.kind === 'directory') return;
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const device = await deviceInUse(place);
    if (device === undefined) return;
    if (waitedMs >= LET_GO_MS_MAX) throw inUse(place, device);
    await sleep(LOOK_EVERY_MS);
  }
}

/** The block device that is in use, if one is. */
async function deviceInUse({ kind, path }: PoolPlace): Promise<string | undefined> {
  if (kind === 'file') {
    const real = await realpath(path).catch((error: unknown) => {
      throw fromSystemError(error, `cannot open the pool ${path}`);
    });
    const loop = (await loadNative().listLoops()).find(({ backingFile }) => backingFile === real);
    return loop === undefined ? undefined : `/dev/loop${loop.number}`;
  }
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return undefined;
  } catch (error) {
    if (systemCode(error) === 'EBUSY') return path;
    throw fromSystemError(error, `cannot use ${path} for a pool`);
  }
}

function inUse({ kind, path }: PoolPlace, device: string): DunnageError {
  const how = kind === 'file' ? `${device} is attached to it` : 'it is mounted, or part of another device';
  return new DunnageError('BUSY', `${path} is in use: ${how}`, {
    remedy: `see where: findmnt ${device}; in other mount namespaces: grep -l ${device} /proc/*/mountinfo`,
  });
}

async function mountDevice(path: string, mountPoint: string): Promise<void> {
  const words = ['--make-private', '-o', MOUNT_OPTIONS, path, mountPoint];
  await runProgram('mount', words, { timeoutMs: MOUNT_TIMEOUT_MS, debPackage: 'util-linux' });
}

/**
 * Whether files in the directory can share blocks: tries it.
 * @throws DunnageError INVALID_ARGUMENT if not
 */
export async function assertSharesBlocks(path: string): Promise<void> {
  const native = loadNative();
  const directory = await open(path, 'r');
  const opened: number[] = [];
  try {
    const source = await native.createUnnamedFile(directory.fd);
    opened.push(source);
    opened.push(await native.cloneToUnnamedFile(directory.fd, source));
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EOPNOTSUPP' && code !== 'EINVAL' && code !== 'ENOTTY')
      throw fromSystemError(error, `cannot write to ${path}`);
    throw new DunnageError('INVALID_ARGUMENT', `files in ${path} cannot share blocks`, {
      remedy: 'a pool needs XFS (mkfs.xfs -m reflink=1) or btrfs: mount one there, or give a block device',
      cause: error,
    });
  } finally {
    for (const file of opened) native.closeDescriptor(file);
    await directory.close();
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
