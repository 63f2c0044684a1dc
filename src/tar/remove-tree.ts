/**
 * Removes a tree of any depth with two descriptors: directories within a directory are moved up beside the root, one after the other, and
 * emptied there. No link is followed and no mount is entered.
 */
import { closeSync, constants } from 'node:fs';
import type { NativeBinding } from '../native/binding.ts';
import { NODE } from '../native/node-status.ts';
import { systemCode } from '../native/system-error.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const { S_IFMT, S_IFDIR } = constants;

/**
 * Removes `name` (bytes, one per character) of an open directory, with all that is in it; nothing happens if it is missing.
 * Preconditions: nobody else works in the directory, which has no other names that begin with `name.`.
 * @throws errors of system calls; EXDEV or EBUSY if something is mounted in the tree.
 */
export function removeTree(native: NativeBinding, directory: number, name: string): void {
  if (!removeUnlessDirectory(native, directory, name)) return;
  const waiting = [name];
  let count = 0;
  for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
    const opened = native.openNode(directory, current, DIRECTORY, 0, true);
    try {
      const { names, attributes } = native.listNodes(opened);
      for (const [index, child] of names.entries()) {
        if (((attributes[index * NODE.fields + NODE.mode] ?? 0) & S_IFMT) !== S_IFDIR) {
          native.removeNode(opened, child, false);
          continue;
        }
        count += 1;
        const moved = `${name}.${count}`;
        native.renameNode(opened, child, directory, moved, 'keep');
        waiting.push(moved);
      }
    } finally {
      closeSync(opened);
    }
    native.removeNode(directory, current, true);
  }
}

/** False if there is nothing left to do. */
function removeUnlessDirectory(native: NativeBinding, directory: number, name: string): boolean {
  try {
    const status = native.statNode(directory, name);
    if (((status[NODE.mode] ?? 0) & S_IFMT) === S_IFDIR) return true;
    native.removeNode(directory, name, false);
    return false;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
