/** Gives the blocks that a file system on a thin device does not use any more back to the pool. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { deviceIdOf, mountPointOf } from '../device-mounts.ts';

/**
 * Trims the file system that is mounted on a block device. Resolves to the bytes that are free in it, or undefined if none is mounted.
 * `path` is that of the device.
 * @throws DunnageError NOT_FOUND, NOT_SUPPORTED, ...
 */
export async function trimDevice(path: string): Promise<number | undefined> {
  try {
    const { rdev } = await stat(path, { bigint: true });
    const [major = 0, minor = 0] = deviceIdOf(rdev).split(':').map(Number);
    const mountPoint = await mountPointOf(major, minor);
    if (mountPoint === undefined) return undefined;
    const directory = await open(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await loadNative().trimFileSystem(directory.fd);
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw fromSystemError(error, `cannot trim the file system on ${path}`);
  }
}
