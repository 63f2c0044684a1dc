/**
 * What tests may leave on a machine: mounts, loop devices, processes. Every process of a run has a marker in its
 * environment, and every mount made below the run's own temporary directory is the run's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const RUN_MARKER = 'DUNNAGE_TEST_RUN';
const FUSE_CONTROL = '/sys/fs/fuse/connections';

export interface Mount {
  readonly id: string;
  readonly mountPoint: string;
  readonly type: string;
  /** Minor number of the device: names the FUSE connection. */
  readonly minor: string;
}

export interface ProcessLeft {
  readonly pid: number;
  readonly commandLine: string;
}

/** Rows of mountinfo(5). */
export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [id, , device, , mountPoint] = left.split(' ');
    const [type] = right.split(' ');
    if (id === undefined || device === undefined || mountPoint === undefined || type === undefined) return [];
    const unescaped = mountPoint.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ id, mountPoint: unescaped, type, minor: device.split(':')[1] ?? '' }];
  });
}

export function currentMounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export interface NewMounts {
  /** Below the tests' temporary folder. */
  readonly ours: Mount[];
  /** Trees of dunnage elsewhere: the tests', if nobody else uses the machine. */
  readonly others: Mount[];
}

/** Mounts that were not there before. */
export function newMounts(before: readonly Mount[], after: readonly Mount[], temporaryFolder: string): NewMounts {
  const known = new Set(before.map((mount) => `${mount.id} ${mount.mountPoint}`));
  const added = after.filter((mount) => !known.has(`${mount.id} ${mount.mountPoint}`));
  const isOurs = (mount: Mount): boolean => mount.mountPoint.startsWith(`${temporaryFolder}/`);
  return {
    ours: added.filter(isOurs),
    others: added.filter((mount) => !isOurs(mount) && mount.type.startsWith('fuse.dunnage')),
  };
}

/** Files behind loop devices, `/dev/loop0 /path`. */
export function loopDevices(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const backing = join('/sys/block', name, 'loop/backing_file');
    return existsSync(backing) ? [`/dev/${name} ${readFileSync(backing, 'utf8').trim()}`] : [];
  });
}

/** Living processes that were started, at whatever distance, by the run with this marker. */
export function processesOf(marker: string, temporaryFolder: string): ProcessLeft[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const ours =
        readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${RUN_MARKER}=${marker}`) ||
        commandLine.includes(temporaryFolder) ||
        readlinkSync(`/proc/${pid}/cwd`).startsWith(temporaryFolder);
      return ours && commandLine !== '' ? [{ pid, commandLine }] : [];
    } catch {
      // Ended between the listing and the look, a kernel thread, or another user's: not ours.
      return [];
    }
  });
}

export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function abortConnection(minor: string): void {
  if (!existsSync(FUSE_CONTROL) || readdirSync(FUSE_CONTROL).length === 0) {
    try {
      execFileSync('mount', ['-t', 'fusectl', 'none', FUSE_CONTROL], { stdio: 'ignore' });
    } catch {
      // Mounted already and empty, or not allowed: the lazy unmount still takes the tree away.
    }
  }
  const abort = join(FUSE_CONTROL, minor, 'abort');
  if (existsSync(abort) && statSync(abort).isFile()) writeFileSync(abort, '1');
}

/**
 * Aborts the connection behind a FUSE mount, so that nobody waits for an answer that never comes, then detaches the
 * mount. Touches no file of it: that could be the very wait to be ended. Returns what went wrong, if it did: one that cannot
 * be removed must not keep the others.
 */
export function removeMount(mount: Mount): string | undefined {
  try {
    if (mount.type.startsWith('fuse')) abortConnection(mount.minor);
    execFileSync('umount', ['--lazy', '--no-canonicalize', mount.mountPoint], { stdio: ['ignore', 'inherit', 'pipe'] });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
