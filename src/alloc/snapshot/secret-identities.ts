/**
 * What must never be in an archive, by identity: a directory of secrets that lies on the disk (where no tmpfs can be had) and every file
 * in it, which may have another name in a directory that is archived, or may be given one while it is.
 */
import { closeSync, constants } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { NODE, nodeIdentity } from '../../native/node-status.ts';
import { systemCode } from '../../native/system-error.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const { S_IFMT, S_IFDIR } = constants;
/** Directories in each other; every one costs a descriptor while those in it are looked through. */
const DEPTH_MAX = 64;

/**
 * Adds the identities of `path` beneath the directory. One that is missing, or no directory, has nothing to hide.
 * @throws DunnageError NOT_SUPPORTED if directories in it lie deeper than 64 levels: what is there is not known, so nothing may be archived
 */
export function collectSecrets(native: NativeBinding, directory: number, path: string, found: Set<string>): void {
  if (!collect(native, directory, path, found, 1)) {
    throw new DunnageError('NOT_SUPPORTED', `directories in ${path} lie more than ${DEPTH_MAX} levels deep`, {
      remedy: 'Remove them: secrets that cannot be looked through might be archived under another name',
    });
  }
}

/** False if there is more below than may be looked through. */
function collect(native: NativeBinding, directory: number, path: string, found: Set<string>, depth: number): boolean {
  let opened: number;
  try {
    opened = native.openNode(directory, path, DIRECTORY, 0, true);
  } catch (error) {
    const code = systemCode(error) ?? '';
    // EXDEV: a tmpfs is mounted there; no file of it has a name elsewhere.
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(code)) return true;
    throw error;
  }
  try {
    if (depth > DEPTH_MAX) return false;
    found.add(nodeIdentity(native.statNode(opened, '')));
    const { names, attributes } = native.listNodes(opened);
    return names.every((name, index) => {
      const at = index * NODE.fields;
      const isDirectory = ((attributes[at + NODE.mode] ?? 0) & S_IFMT) === S_IFDIR;
      if (isDirectory) return collect(native, opened, name, found, depth + 1);
      found.add(nodeIdentity(attributes, at));
      return true;
    });
  } finally {
    closeSync(opened);
  }
}
