/** Opening one name in an open directory, and nothing else: no link is followed, and what it names does nothing by being opened. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { loadNative } from '../../native/load.ts';
import { NAME_ONLY } from '../../native/open-flags.ts';
import { systemCode, systemError } from '../../native/system-error.ts';

/** A fifo does not wait, a terminal does not become ours. */
const READ: number = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

const RACES_MAX = 16;

/** An object named by a descriptor that can neither read nor write (O_PATH). */
export interface OpenObject {
  readonly descriptor: number;
  readonly stats: BigIntStats;
}

/** By its path, whose parents are trusted. Throws what open(2) says. */
export function openRoot(path: string): OpenObject {
  return named(openSync(path, NAME_ONLY | constants.O_DIRECTORY));
}

/** `path`: relative and without links; usually one name. Throws what openat2(2) says. */
export function openName(directory: number, path: string): OpenObject {
  for (let tries = 1; ; tries += 1) {
    try {
      return named(loadNative().openBeneath(directory, path, NAME_ONLY, 0, false));
    } catch (error) {
      // What was found was moved away from the directory before it was open: then the name is looked up again.
      if (!['EXDEV', 'EAGAIN'].includes(systemCode(error) ?? '')) throw error;
      if (tries === RACES_MAX) throw systemError('ENOENT', 'openat2', path, 'it was moved again and again');
    }
  }
}

/** Opens the object itself for reading, whatever its names mean by now. Only for regular files and directories. */
export function reopen(object: number): number {
  return openSync(`/proc/self/fd/${object}`, READ);
}

/** The path of a name in an open directory, for calls that follow nothing. */
export function inDirectory(directory: number, name?: string): string {
  return name === undefined ? `/proc/self/fd/${directory}` : `/proc/self/fd/${directory}/${name}`;
}

/** Names one object among all that this host has: numbers of inodes are used again, with another time of birth. */
export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

function named(descriptor: number): OpenObject {
  try {
    return { descriptor, stats: fstatSync(descriptor, { bigint: true }) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
