/** Who uses a block device, as /proc tells it: where it is mounted, in whatever mount namespace, and who has it open. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMountTable } from '../../mounts/mount-table.ts';
import { deviceIdOf } from '../device-mounts.ts';

const USERS_MAX = 5;

/**
 * Each as a phrase: `mounted at /srv/db`, `mounted at /data for pid 17 (postgres)`, `open by pid 18 (dd)`. Only what this process may look
 * into is found. Empty if the device is not there.
 */
export async function findDeviceUsers(path: string, procPath = '/proc'): Promise<readonly string[]> {
  const device = await deviceIdAt(path);
  if (device === undefined) return [];
  const search: Search = { device, procPath, namespaces: new Set() };
  const users: string[] = [];
  for (const pid of ['self', ...(await readdir(procPath)).filter((name) => /^\d+$/.test(name))]) {
    if (users.length >= USERS_MAX) break;
    users.push(...(await mountsFor(search, pid)));
    if (pid !== 'self' && (await hasOpen(search, pid))) users.push(`open by ${await describe(search, pid)}`);
  }
  return users.slice(0, USERS_MAX);
}

/** Those in this process's mount namespace alone: `mounted at /srv/db`. */
export async function findOwnMounts(path: string, procPath = '/proc'): Promise<readonly string[]> {
  const device = await deviceIdAt(path);
  return device === undefined ? [] : await mountsFor({ device, procPath, namespaces: new Set() }, 'self');
}

interface Search {
  /** `major:minor`. */
  readonly device: string;
  readonly procPath: string;
  /** Mount namespaces that were looked at. */
  readonly namespaces: Set<string>;
}

async function mountsFor({ device, procPath, namespaces }: Search, pid: string): Promise<readonly string[]> {
  const namespace = await readlink(join(procPath, pid, 'ns/mnt')).catch(() => undefined);
  if (namespace === undefined || namespaces.has(namespace)) return [];
  namespaces.add(namespace);
  const table = await readFile(join(procPath, pid, 'mountinfo'), 'utf8').catch(() => '');
  const rows = parseMountTable(table).filter(({ deviceId }) => deviceId === device);
  const whose = pid === 'self' ? '' : ` for ${await describe({ procPath }, pid)}`;
  return rows.map(({ mountPoint }) => `mounted at ${mountPoint}${whose}`);
}

async function hasOpen({ device, procPath }: Search, pid: string): Promise<boolean> {
  const folder = join(procPath, pid, 'fd');
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const target = await readlink(join(folder, descriptor)).catch(() => '');
    // Only devices are looked at: what else is open may be on a file system that does not answer.
    if (!target.startsWith('/dev/') && !/\/dev\/[^/]+$/.test(target)) continue;
    if ((await deviceIdAt(join(folder, descriptor))) === device) return true;
  }
  return false;
}

async function deviceIdAt(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isBlockDevice() === true ? deviceIdOf(found.rdev) : undefined;
}

async function describe({ procPath }: Pick<Search, 'procPath'>, pid: string): Promise<string> {
  const program = await readFile(join(procPath, pid, 'comm'), 'utf8').catch(() => '');
  return program === '' ? `pid ${pid}` : `pid ${pid} (${program.trimEnd()})`;
}
