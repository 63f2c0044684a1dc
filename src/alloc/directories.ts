/**
 * Making directories in places where tasks may rename things and plant links: everything goes by descriptors and single names, beneath the
 * backing directory, on one file system. A link where a directory should be is an error, never followed.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, constants, fchmodSync, fsync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { byteText } from '../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { NODE } from '../native/node-status.ts';
import { READ_DIRECTORY } from '../native/open-flags.ts';
import { systemCode } from '../native/system-error.ts';
import type { BackingDirectory } from './backing-directory.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface DirectoryAttributes {
  /** Exact, whatever the umask. */
  readonly mode: number;
  /** Whoever runs this, if it is left out. Needs root. */
  readonly owner?: Owner | undefined;
}

/** What happens to a directory that is there already: it gets the attributes as well, or stays as it is. */
export type Existing = 'widen' | 'keep';

/** What became of it. */
export type Ensured = 'made' | 'changed' | 'kept';

/** Opens a directory by its absolute path, has `use` work on its descriptor, and closes it. */
export async function withDirectory<T>(path: string, use: (descriptor: number) => T | Promise<T>): Promise<T> {
  let descriptor: number;
  try {
    descriptor = openSync(path, READ_DIRECTORY & ~constants.O_NOFOLLOW);
  } catch (error) {
    throw fromSystemError(error, `cannot open ${path}`);
  }
  try {
    return await use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As `withDirectory`, for a directory beneath one that is open. @throws DunnageError INVALID_PATH for a link in the path. */
export async function withDirectoryBeneath<T>(
  root: number,
  path: string,
  use: (descriptor: number) => T | Promise<T>,
): Promise<T> {
  const descriptor = openDirectory(root, path);
  try {
    return await use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The caller closes it. @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY; INVALID_PATH for a link in the path. */
export function openDirectory(root: number, path: string): number {
  try {
    return loadNative().openNode(root, byteText(path), READ_DIRECTORY, 0, true);
  } catch (error) {
    throw walkError(error, path);
  }
}

/**
 * Makes `name` if it is missing, whole: it is made in `staging`, a directory on the same file system that nobody else may enter, and moved to its
 * place when it has its mode and owner.
 */
export function ensureDirectory(
  place: { readonly directory: number; readonly name: string; readonly staging: number },
  attributes: DirectoryAttributes,
  existing: Existing,
): Ensured {
  const { directory, name } = place;
  try {
    const present = statusOf(directory, name);
    if (present === undefined) {
      if (makeWhole(place, attributes)) return 'made';
    } else if (!isDirectoryMode(present)) {
      throw notADirectory(name);
    }
    if (existing === 'keep') return 'kept';
    applyAndClose(loadNative().openNode(directory, byteText(name), READ_DIRECTORY, 0, true), attributes);
    return 'changed';
  } catch (error) {
    throw walkError(error, name);
  }
}

/** `ensureDirectory`, and telling who may have looked at it. `path`: beneath the backing directory. */
export async function ensureTold(
  backing: Pick<BackingDirectory, 'changed' | 'attributesChanged'>,
  path: string,
  place: { readonly directory: number; readonly name: string; readonly staging: number },
  attributes: DirectoryAttributes,
  existing: Existing,
): Promise<void> {
  const ensured = ensureDirectory(place, attributes, existing);
  if (ensured === 'made') await backing.changed(path);
  else if (ensured === 'changed') await backing.attributesChanged(path);
}

/** Status of a name, as `NODE` says; undefined if there is none. A link is not followed. */
export function statusOf(directory: number, name: string): Float64Array | undefined {
  try {
    return loadNative().statNode(directory, byteText(name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY; INVALID_PATH for a link. */
export function isEmptyDirectory(parent: number, name: string): boolean {
  const opened = openDirectory(parent, name);
  try {
    return loadNative().listNodes(opened).names.length === 0;
  } finally {
    closeSync(opened);
  }
}

export function isDirectoryMode(status: Float64Array): boolean {
  return ((status[NODE.mode] ?? 0) & constants.S_IFMT) === constants.S_IFDIR;
}

/** False if somebody else made it meanwhile. */
function makeWhole(
  { directory, name, staging }: { readonly directory: number; readonly name: string; readonly staging: number },
  attributes: DirectoryAttributes,
): boolean {
  const native = loadNative();
  const temporary = `new-${randomBytes(8).toString('hex')}`;
  native.makeNode(staging, temporary, constants.S_IFDIR | 0o700, 0, 0);
  try {
    applyAndClose(native.openNode(staging, temporary, READ_DIRECTORY, 0, true), attributes);
    native.renameNode(staging, temporary, directory, byteText(name), 'keep');
    return true;
  } catch (error) {
    native.removeNode(staging, temporary, true);
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function applyAndClose(descriptor: number, { mode, owner }: DirectoryAttributes): void {
  try {
    // The owner first: to change it may take bits of the mode away.
    if (owner !== undefined) loadNative().setOwner(descriptor, '', owner.uid, owner.gid);
    fchmodSync(descriptor, mode);
  } finally {
    closeSync(descriptor);
  }
}

/** fsync(2) of a directory in the libuv pool: names that were made or moved in it survive the machine. */
export const flushDirectory: (descriptor: number) => Promise<void> = promisify(fsync);

function notADirectory(name: string): DunnageError {
  return new DunnageError('NOT_A_DIRECTORY', `${name} is no directory, and one should be there`, {
    remedy: 'move it away',
  });
}

export function walkError(error: unknown, path: string): DunnageError {
  if (systemCode(error) === 'ELOOP') {
    return new DunnageError('INVALID_PATH', `there is a symbolic link in ${path}, where a directory should be`, {
      remedy: 'remove the link',
      cause: error,
    });
  }
  return fromSystemError(error, `cannot work on ${path}`);
}
