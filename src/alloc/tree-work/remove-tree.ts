/**
 * rm -r by descriptors, which never leaves the file system it begins on, follows no link and does not go into anything that is mounted:
 * what is a mount stays, and is an error.
 *
 * A task can nest directories as deep as it likes. What lies too deep for the descriptors and the stack of a descent is moved up
 * beside the tree, and removed from there.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants } from 'node:fs';
import { loadNative } from '../../native/load.ts';
import { NODE } from '../../native/node-status.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode, systemError } from '../../native/system-error.ts';

/** Somebody makes new names in a directory while it is emptied. */
const PASSES_MAX = 8;
const DEPTH_MAX = 64;

export interface RemoveOptions {
  /** Called now and then; throws to stop. */
  readonly onStep: () => void;
}

/** Where a tree is removed from, and what was moved there out of its depth. */
interface Removal extends RemoveOptions {
  readonly top: number;
  readonly name: string;
  readonly movedUp: string[];
}

/**
 * Removes `name` (bytes, one per character) of an open directory and all that is in it. One that is missing is removed.
 * @throws errors of system calls; EBUSY if something is mounted in it.
 */
export function removeTree(directory: number, name: string, { onStep }: RemoveOptions): void {
  const removal: Removal = { top: directory, name, onStep, movedUp: [] };
  removeBelow(removal, directory, name, 0);
  for (let moved = removal.movedUp.pop(); moved !== undefined; moved = removal.movedUp.pop()) {
    removeBelow(removal, directory, moved, 0);
  }
}

function removeBelow(removal: Removal, directory: number, name: string, depth: number): void {
  removal.onStep();
  if (!isDirectory(directory, name)) {
    removeOne(directory, name, false);
    return;
  }
  for (let pass = 1; ; pass += 1) {
    emptyDirectory(removal, directory, name, depth);
    try {
      removeOne(directory, name, true);
      return;
    } catch (error) {
      if (systemCode(error) !== 'ENOTEMPTY' || pass === PASSES_MAX) throw error;
    }
  }
}

function isDirectory(directory: number, name: string): boolean {
  try {
    const status = loadNative().statNode(directory, name);
    return ((status[NODE.mode] ?? 0) & constants.S_IFMT) === constants.S_IFDIR;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function emptyDirectory(removal: Removal, directory: number, name: string, depth: number): void {
  const opened = openUnmounted(directory, name);
  try {
    const { names, attributes } = loadNative().listNodes(opened);
    names.forEach((child, index) => {
      const mode = attributes[index * NODE.fields + NODE.mode] ?? 0;
      if ((mode & constants.S_IFMT) !== constants.S_IFDIR) removeOne(opened, child, false);
      else if (depth < DEPTH_MAX) removeBelow(removal, opened, child, depth + 1);
      else moveUp(removal, opened, child);
      removal.onStep();
    });
  } finally {
    closeSync(opened);
  }
}

function openUnmounted(directory: number, name: string): number {
  try {
    return loadNative().openNode(directory, name, READ_DIRECTORY, 0, true);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    throw systemError('EBUSY', 'openat2', Buffer.from(name, 'latin1').toString(), 'something is mounted on it');
  }
}

function moveUp({ top, name, movedUp }: Removal, directory: number, child: string): void {
  // Short enough for any name, and with the beginning by which what a crash leaves is found.
  const moved = `${name.slice(0, 200)}.${randomBytes(8).toString('hex')}`;
  try {
    loadNative().renameNode(directory, child, top, moved, 'keep');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  movedUp.push(moved);
}

/** EBUSY if something is mounted on it. */
function removeOne(directory: number, name: string, isDirectory: boolean): void {
  try {
    loadNative().removeNode(directory, name, isDirectory);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
