/**
 * Where the file system of a block device is mounted: in this mount namespace or, as for containers, in another one only. One
 * mount point is enough: freezing concerns the file system, wherever else it is mounted.
 */
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type MountRow, readMountTable } from '../mounts/mount-table.ts';

/** An absolute path at which it can be reached, or undefined if it is mounted nowhere (that can be seen from here). */
export async function mountPointOf(major: number, minor: number): Promise<string | undefined> {
  const here = await findIn('/proc/self/mountinfo', '', major, minor);
  if (here !== undefined) return here;
  const seen = new Set([await namespaceOf('self')]);
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const namespace = await namespaceOf(entry);
    if (namespace === undefined || seen.has(namespace)) continue;
    seen.add(namespace);
    const found = await findIn(`/proc/${entry}/mountinfo`, `/proc/${entry}/root`, major, minor);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Undefined for a process that has ended meanwhile. */
async function namespaceOf(process: string): Promise<string | undefined> {
  return await readlink(`/proc/${process}/ns/mnt`).catch(() => undefined);
}

async function findIn(table: string, root: string, major: number, minor: number): Promise<string | undefined> {
  const rows = await readMountTable(table).catch(() => []);
  for (const row of rows) {
    if (!(await isMountOf(row, root, major, minor))) continue;
    // Something else may be mounted over it, and then the path leads there.
    if (rows.findLast(({ mountPoint }) => mountPoint === row.mountPoint) !== row) continue;
    const path = join(root, row.mountPoint);
    const reached = await stat(path, { bigint: true }).catch(() => undefined);
    if (reached?.isDirectory() !== true) continue;
    // The directories of btrfs have yet other device numbers.
    if (row.type === 'btrfs' || deviceIdOf(reached.dev) === row.deviceId) return root === '' ? row.mountPoint : path;
  }
  return undefined;
}

async function isMountOf(row: MountRow, root: string, major: number, minor: number): Promise<boolean> {
  if (row.deviceId === `${major}:${minor}`) return true;
  // btrfs has device numbers of its own, but names its device.
  if (row.type !== 'btrfs') return false;
  const source = await stat(join(root, row.source), { bigint: true }).catch(() => undefined);
  return source?.isBlockDevice() === true && deviceIdOf(source.rdev) === `${major}:${minor}`;
}

/** `major:minor` of a device number of stat(2). */
export function deviceIdOf(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
