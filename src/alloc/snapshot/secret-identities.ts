/**
 * What must never be in an archive, by identity: a directory of secrets that lies on the disk (where no tmpfs can be had) and every file
 * in it, which may have another name in a directory that is archived, or may be given one while it is.
 */
import { closeSync, constants } from 'node:fs';
import type { NativeBinding } from '../../native/binding.ts';
import { NODE, nodeIdentity } from '../../native/node-status.ts';
import { systemCode } from '../../native/system-error.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const { S_IFMT, S_IFDIR } = constants;

/** Adds the identities of `path` beneath the directory. One that is missing, or no directory, has nothing to hide. */
export function collectSecrets(native: NativeBinding, directory: number, path: string, found: Set<string>): void {
  let opened: number;
  try {
    opened = native.openNode(directory, path, DIRECTORY, 0, true);
  } catch (error) {
    const code = systemCode(error) ?? '';
    // EXDEV: a tmpfs is mounted there; no file of it has a name elsewhere.
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(code)) return;
    throw error;
  }
  try {
    found.add(nodeIdentity(native.statNode(opened, '')));
    const { names, attributes } = native.listNodes(opened);
    names.forEach((name, index) => {
      const at = index * NODE.fields;
      const isDirectory = ((attributes[at + NODE.mode] ?? 0) & S_IFMT) === S_IFDIR;
      if (isDirectory) collectSecrets(native, opened, name, found);
      else found.add(nodeIdentity(attributes, at));
    });
  } finally {
    closeSync(opened);
  }
}
