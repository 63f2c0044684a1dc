/**
 * Empty directories to mount on, in directories that belong to a task: it may put links anywhere, so nothing is reached but
 * from an open directory, one component at a time, and no component may be a link.
 *
 * A handful of calls on directories that are in the cache: synchronous.
 */
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, type Stats } from 'node:fs';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { NAME_DIRECTORY, READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';

const PLACE_MODE = 0o755;

/**
 * Makes what is missing of the path, root's and 0755. Gives the path of the first directory that was made.
 * @throws DunnageError NOT_EMPTY if the last one has files, which a mount would hide; NOT_A_DIRECTORY ... if something is in the way.
 */
export function makePlace(base: string, path: string): string | undefined {
  const components = path.split('/');
  let made: string | undefined;
  try {
    walk(base, components, (parent, depth) => {
      const name = components[depth] as string;
      if (!makeOne(at(parent, name))) return;
      made ??= components.slice(0, depth + 1).join('/');
    });
    if (made === undefined) requireEmpty(base, path);
  } catch (error) {
    throw fromSystemError(error, `cannot make ${path} to mount on`);
  }
  return made;
}

/**
 * Removes the last directory of the path if it is empty, and those above it that were made for it; never the first one. False if
 * it is not there, or is not a directory any more.
 */
export function removePlace(base: string, path: string): boolean {
  const components = path.split('/');
  if (!removeOne(base, components)) return false;
  for (let depth = components.length - 1; depth > 1; depth -= 1) {
    if (!removeOne(base, components.slice(0, depth), isMadeHere)) break;
  }
  return true;
}

function removeOne(
  base: string,
  components: readonly string[],
  accept: (status: Stats) => boolean = () => true,
): boolean {
  const name = components.at(-1) as string;
  try {
    const parent = openBeneath(base, components.slice(0, -1));
    try {
      if (!accept(lstatSync(at(parent, name)))) return false;
      rmdirSync(at(parent, name));
    } finally {
      closeSync(parent);
    }
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) return false;
    throw fromSystemError(error, `cannot remove ${components.join('/')}`);
  }
}

/** Tasks are nobody's, or their own users'. */
function isMadeHere({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & 0o7777) === PLACE_MODE;
}

function makeOne(place: string): boolean {
  try {
    mkdirSync(place, { mode: PLACE_MODE });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function requireEmpty(base: string, path: string): void {
  const root = openSync(base, NAME_DIRECTORY);
  try {
    const directory = loadNative().openBeneath(root, path, READ_DIRECTORY, 0, false);
    try {
      if (readdirSync(`/proc/self/fd/${directory}`).length === 0) return;
    } finally {
      closeSync(directory);
    }
  } finally {
    closeSync(root);
  }
  throw new DunnageError('NOT_EMPTY', `${path} has files, which a mount would hide`, {
    remedy: 'empty it, or present the projection elsewhere',
  });
}

/** Calls back with the open parent of each component, then goes into it. */
function walk(base: string, components: readonly string[], visit: (parent: number, depth: number) => void): void {
  let parent = openSync(base, NAME_DIRECTORY);
  try {
    for (const [depth, name] of components.entries()) {
      visit(parent, depth);
      const next = loadNative().openBeneath(parent, name, NAME_DIRECTORY, 0, false);
      closeSync(parent);
      parent = next;
    }
  } finally {
    closeSync(parent);
  }
}

/** The caller closes it. */
function openBeneath(base: string, components: readonly string[]): number {
  const root = openSync(base, NAME_DIRECTORY);
  if (components.length === 0) return root;
  try {
    return loadNative().openBeneath(root, components.join('/'), NAME_DIRECTORY, 0, false);
  } finally {
    closeSync(root);
  }
}

const at = (directory: number, name: string): string => `/proc/self/fd/${directory}/${name}`;
