/**
 * A small XFS or btrfs in a file, mounted through a loop device that the kernel detaches with the last unmount: so
 * `close`, or the runner that finds it left mounted, removes all of it.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type ScratchType = 'xfs' | 'btrfs' | 'ext4';

const MEBIBYTE = 1024 * 1024;
/** A tmpfs: flushing costs nothing there, and tests flush all the time. */
const MEMORY = '/dev/shm';
/** The least that mkfs.xfs makes is 300 MiB. */
const SIZE_MIB = 320;

const MAKE: Readonly<Record<ScratchType, readonly string[]>> = {
  xfs: ['mkfs.xfs', '-q', '-K', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q', '-K'],
  ext4: ['mkfs.ext4', '-q', '-E', 'nodiscard'],
};

/** Why loop devices cannot be used here; false if they can. Meant for the `skip` of a test. */
export function skipUnlessLoops(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: it attaches loop devices';
  return existsSync('/dev/loop-control') ? false : 'needs /dev/loop-control';
}

/** Why such a file system cannot be made and mounted here; false if it can. */
export function skipUnlessScratch(type: ScratchType): string | false {
  const reason = skipUnlessLoops();
  if (reason !== false) return reason;
  const [program = ''] = MAKE[type];
  const places = ['/usr/sbin', '/sbin', '/usr/bin'];
  if (!places.some((place) => existsSync(join(place, program)))) return `needs ${program}`;
  // A file system that is a module is loaded by its first mount: only one that the kernel cannot have is missing.
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/).includes(type);
  return known || existsSync('/proc/modules') ? false : `needs ${type} in the kernel`;
}

/** A sparse file of that size with a new file system in it. */
export function formatFile(type: ScratchType, path: string, sizeBytes: number): void {
  const file = openSync(path, 'wx');
  ftruncateSync(file, sizeBytes);
  closeSync(file);
  const [program = '', ...parameters] = MAKE[type];
  execFileSync(program, [...parameters, path], { stdio: ['ignore', 'ignore', 'pipe'] });
}

export class ScratchFileSystem {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder: string;

  constructor(type: ScratchType, sizeMib: number = SIZE_MIB) {
    this.#folder = mkdtempSync(join(tmpdir(), 'dunnage-scratch-'));
    this.path = join(this.#folder, 'fs');
    mkdirSync(this.path);
    const image = join(existsSync(MEMORY) ? MEMORY : this.#folder, `dunnage-scratch-${randomUUID()}`);
    try {
      formatFile(type, image, sizeMib * MEBIBYTE);
      execFileSync('mount', ['-t', type, '-o', 'loop,noatime', image, this.path], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    } finally {
      // What is mounted keeps it.
      rmSync(image, { force: true });
    }
  }

  /** Throws if somebody has something of it open; it goes with the last of them then. */
  close(): void {
    try {
      execFileSync('umount', [this.path], { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      execFileSync('umount', ['--lazy', this.path]);
      throw error;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
