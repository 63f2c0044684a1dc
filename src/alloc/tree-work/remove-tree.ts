/**
 * rm -r by descriptors, which never leaves the file system it begins on, follows no link and does not go into anything that is mounted:
 * what is a mount stays, and is an error.
 */
import { closeSync, constants } from 'node:fs';
import { loadNative } from '../../native/load.ts';
import { NODE } from '../../native/node-status.ts';
import { systemCode } from '../../native/system-error.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Somebody makes new names in a directory while it is emptied. */
const PASSES_MAX = 8;

export interface RemoveOptions {
  /** Called now and then; throws to stop. */
  readonly onStep: () => void;
}

/** Removes `name` (bytes, one per character) of an open directory and all that is in it. One that is missing is removed. */
export function removeTree(directory: number, name: string, options: RemoveOptions): void {
  const native = loadNative();
  options.onStep();
  let status: Float64Array;
  try {
    status = native.statNode(directory, name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if (((status[NODE.mode] ?? 0) & constants.S_IFMT) !== constants.S_IFDIR) {
    removeOne(directory, name, false);
    return;
  }
  for (let pass = 1; ; pass += 1) {
    emptyDirectory(directory, name, options);
    try {
      removeOne(directory, name, true);
      return;
    } catch (error) {
      if (systemCode(error) !== 'ENOTEMPTY' || pass === PASSES_MAX) throw error;
    }
  }
}

function emptyDirectory(directory: number, name: string, options: RemoveOptions): void {
  const native = loadNative();
  // EXDEV if something is mounted there.
  const opened = native.openNode(directory, name, DIRECTORY, 0, true);
  try {
    const { names, attributes } = native.listNodes(opened);
    names.forEach((child, index) => {
      const mode = attributes[index * NODE.fields + NODE.mode] ?? 0;
      if ((mode & constants.S_IFMT) === constants.S_IFDIR) removeTree(opened, child, options);
      else removeOne(opened, child, false);
      options.onStep();
    });
  } finally {
    closeSync(opened);
  }
}

/** EBUSY if something is mounted on it. */
function removeOne(directory: number, name: string, isDirectory: boolean): void {
  try {
    loadNative().removeNode(directory, name, isDirectory);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
