/**
 * Recursive removal that never follows a link and never crosses into another file system.
 *
 * Names are handled as bytes: what is removed may have been planted, with names that are not UTF-8.
 */
import type { Dirent } from 'node:fs';
import { readdir, rmdir, unlink } from 'node:fs/promises';
import { DunnageError } from '../errors/dunnage-error.ts';
import { close, errnoOf, fstat, inDirectory, OPEN_DIRECTORY, open, unless } from './beneath.ts';
import { forEachBounded } from './bounded.ts';
import { PARALLEL_MAX } from './directory-stage.ts';

/** Removes the entry `name` of an open directory, whatever it is. No error if there is none. */
export async function removeEntry(directory: number, name: string | Buffer): Promise<void> {
  const path = pathIn(directory, name);
  try {
    await unlink(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    // unlink(2) of a directory: EISDIR on Linux, EPERM by POSIX.
    if (errno !== 'EISDIR' && errno !== 'EPERM') throw error;
    await removeDirectory(directory, name);
  }
}

async function removeDirectory(parent: number, name: string | Buffer): Promise<void> {
  // One component below an open directory, link not followed: as safe as openat2, and it takes names as bytes.
  const descriptor = await unless(['ENOENT'], () => open(pathIn(parent, name), OPEN_DIRECTORY));
  if (descriptor === undefined) return;
  try {
    const [here, above] = await Promise.all([fstat(descriptor), fstat(parent)]);
    if (here.dev !== above.dev) {
      throw new DunnageError('BUSY', 'a file system is mounted inside a directory that is to be removed', {
        remedy: 'unmount it; the next write removes the directory',
      });
    }
    const entries = await readdir(inDirectory(descriptor), { withFileTypes: true, encoding: 'buffer' });
    const isDirectory = (entry: Dirent<Buffer>): boolean => entry.isDirectory();
    await forEachBounded(
      entries.filter((entry) => !isDirectory(entry)),
      PARALLEL_MAX,
      (entry) => removeEntry(descriptor, entry.name),
    );
    // One after another: each level holds one descriptor.
    for (const entry of entries.filter(isDirectory)) await removeDirectory(descriptor, entry.name);
  } finally {
    await close(descriptor);
  }
  await unless(['ENOENT'], () => rmdir(pathIn(parent, name)));
}

function pathIn(directory: number, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${inDirectory(directory)}/`), Buffer.from(name)]);
}
