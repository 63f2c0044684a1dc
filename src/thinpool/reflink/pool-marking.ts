/** Making the place of a pool the pool's own, finding out whose it is, and leaving it as it was: while it is not in service. */
import { lstat, readdir, rm, rmdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { systemCode } from '../../native/system-error.ts';
import { imageId } from './image-folder.ts';
import { POOL_FILES, readMarker, removePoolFiles, writeMarker } from './pool-marker.ts';
import { assertSharesBlocks, mountPlace, type PoolPlace, syncDirectory, unmountPlace } from './pool-place.ts';

export interface MarkedPlace {
  readonly poolName: string;
  readonly place: PoolPlace;
  readonly runtimeDir: string;
  readonly log: Log;
}

/** What of a pool lies in memory: its mount point and its notes. */
export function poolRuntimeFolder({ runtimeDir, poolName }: Pick<MarkedPlace, 'runtimeDir' | 'poolName'>): string {
  return join(runtimeDir, 'pools', poolName);
}

/** Folder of a pool's images, at the top of its file system. */
export const IMAGES = 'devices';

/** Repeated: nothing happens. @throws DunnageError ALREADY_EXISTS if another pool lies there, INVALID_ARGUMENT */
export async function markPool(options: MarkedPlace): Promise<void> {
  const { poolName, place } = options;
  await whileMounted(options, async (root) => {
    const there = (await readMarker(root))?.name;
    if (there === poolName) return;
    if (there !== undefined)
      throw new DunnageError('ALREADY_EXISTS', `${place.path} holds the pool "${there}" already`);
    await assertSharesBlocks(root);
    const { bsize, blocks, bavail } = await statfs(root);
    await writeMarker(root, poolName, (blocks - bavail) * bsize, blocks * bsize);
  });
}

/**
 * What has a name that a pool needs is somebody else's where no pool lies: it would be changed, and go with the pool.
 * @throws DunnageError ALREADY_EXISTS
 */
export async function assertFreeNames(options: MarkedPlace): Promise<void> {
  await whileMounted(options, async (root) => {
    for (const name of [IMAGES, ...POOL_FILES]) {
      if ((await lstat(join(root, name)).catch(() => undefined)) === undefined) continue;
      throw new DunnageError('ALREADY_EXISTS', `${options.place.path} has something named "${name}" already`, {
        remedy: 'rename it, or give the pool a directory of its own',
      });
    }
  });
}

/** What file systems make by themselves. */
const HARMLESS = ['lost+found'];

/**
 * Writers to the file system of a pool can be stopped only where nobody else writes: a daemon whose own state lies there, or a host
 * with its logs, would wait for ever.
 * @throws DunnageError INVALID_ARGUMENT
 */
export async function assertAlone(options: MarkedPlace): Promise<void> {
  await whileMounted(options, async (root) => {
    const other = (await readdir(root)).find((name) => ![IMAGES, ...POOL_FILES, ...HARMLESS].includes(name));
    if (other === undefined) return;
    throw new DunnageError('INVALID_ARGUMENT', `${options.place.path} holds something else too: ${other}`, {
      remedy:
        'a pool that may overcommit needs a file system that holds nothing else: its writers may have to be stopped',
    });
  });
}

/** Name of the pool that lies there; undefined if there is none. */
export async function readPoolName(options: MarkedPlace): Promise<string | undefined> {
  return await whileMounted(options, async (root) => (await readMarker(root))?.name);
}

/**
 * Takes away what the pool has put there. Preconditions: it has no devices. Repeated: nothing happens.
 * @throws DunnageError NOT_EMPTY if it has images all the same, NOT_FOUND if another pool lies there
 */
export async function unmarkPool(options: MarkedPlace): Promise<void> {
  const { poolName, place } = options;
  await whileMounted(options, async (root) => {
    const there = (await readMarker(root))?.name;
    if (there !== undefined && there !== poolName) {
      throw new DunnageError('NOT_FOUND', `${place.path} holds the pool "${there}", not "${poolName}"`);
    }
    const images = join(root, IMAGES);
    const left = (await readdir(images).catch(() => [])).filter((name) => imageId(name) !== undefined);
    if (there !== undefined && left.length > 0) {
      throw new DunnageError('NOT_EMPTY', `${images} is not empty: ${left.slice(0, 3).join(', ')}`);
    }
    if (there === undefined) return;
    await rmdir(images).catch((error: unknown) => {
      // What somebody has put beside the images is his, and stays.
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
    });
    await removePoolFiles(root);
    await syncDirectory(root);
  });
}

/** Nothing of the pool is left in memory. Preconditions: it is out of service. @throws DunnageError BUSY */
export async function leavePlace(options: MarkedPlace): Promise<void> {
  const folder = poolRuntimeFolder(options);
  const mountPoint = join(folder, 'fs');
  if ((await findMount(mountPoint)) !== undefined) unmountPlace(options.place, mountPoint);
  await rm(folder, { recursive: true, force: true });
}

/** Mounts it for the moment, unless it is mounted already. */
export async function whileMounted<T>(options: MarkedPlace, work: (root: string) => Promise<T>): Promise<T> {
  const mountPoint = join(poolRuntimeFolder(options), 'fs');
  const mounted = await mountPlace(options.place, mountPoint, options.log);
  try {
    return await work(mounted.path);
  } finally {
    if (mounted.isMountedNow) unmountPlace(options.place, mountPoint);
  }
}
