/**
 * Who still uses an alloc: looked up in /proc, because the kernel tells nobody.
 *
 *   mounted   a bind mount of the alloc, or of a part of it, that is not one of the tree's own: on the host, or in another
 *             mount namespace (a container)
 *   open      a process that has a file of it open or mapped, or is in one of its directories
 *
 * A namespace that was cloned from the host's has a copy of every mount; a copy does not count. A process of another pid
 * namespace than the daemon's parent ones is not seen.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isAtOrBeneath } from '../../base/paths.ts';
import { type MountRow, parseMountTable } from '../../mounts/mount-table.ts';

export interface AllocPlaces {
  readonly id: string;
  /** Where the allocs are mounted. */
  readonly visiblePath: string;
  /** What else of the alloc is mounted or lies elsewhere: its tmpfs, its directories for unveil isolation. */
  readonly otherPaths: readonly string[];
}

/** Named at most; whoever waits for more than these sees the rest when they are gone. */
const USERS_MAX = 20;

/** Each as a sentence: `pid 12 (nginx) has /run/dunnage/mnt/allocs/a/web/local/index.html open`. `procPath`: for tests. */
export async function findAllocUsers(places: AllocPlaces, procPath = '/proc'): Promise<readonly string[]> {
  const self = join(procPath, 'self');
  const own = await readTable(join(self, 'mountinfo'));
  const served = own.findLast(({ mountPoint }) => mountPoint === places.visiblePath);
  const search: Search = {
    ...{ procPath, own, namespace: await link(join(self, 'ns/mnt')), seen: new Set<string>() },
    tree: served?.deviceId,
    id: places.id,
    paths: [join(places.visiblePath, places.id), ...places.otherPaths],
    memory: new Set(own.filter((row) => liesInAny(row.mountPoint, places.otherPaths)).map(({ deviceId }) => deviceId)),
  };
  if (search.tree !== undefined) search.memory.delete(search.tree);
  const users = ownMounts(search);
  for (const name of await readdir(procPath)) {
    if (users.length >= USERS_MAX) break;
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    users.push(...(await usesOf(search, pid)));
  }
  return users.slice(0, USERS_MAX);
}

interface Search {
  readonly procPath: string;
  readonly own: readonly MountRow[];
  readonly namespace: string | undefined;
  /** Mount namespaces that were looked at. */
  readonly seen: Set<string>;
  /** Device of the connection; undefined if it is not mounted. */
  readonly tree: string | undefined;
  readonly id: string;
  readonly paths: readonly string[];
  /** Devices of the alloc's tmpfs. */
  readonly memory: Set<string>;
}

function ownMounts(search: Search): string[] {
  return foreignMounts(search, search.own)
    .filter(({ mountPoint }) => !liesInAny(mountPoint, search.paths))
    .map(({ mountPoint }) => `the host has it mounted at ${mountPoint}`);
}

/** Mounts of the alloc that do not lie in a presentation of the whole tree. */
function foreignMounts({ tree, id, memory }: Search, rows: readonly MountRow[]): readonly MountRow[] {
  const byId = new Map(rows.map((row) => [row.mountId, row]));
  const isTree = (row: MountRow): boolean => row.deviceId === tree && row.root === '/';
  const liesInTree = (row: MountRow): boolean => {
    for (let above = byId.get(row.parentId); above !== undefined; above = byId.get(above.parentId)) {
      if (isTree(above)) return true;
      if (above.parentId === above.mountId) break;
    }
    return false;
  };
  return rows.filter((row) => {
    const isOfAlloc = row.deviceId === tree && isAtOrBeneath(row.root, `/${id}`);
    return (isOfAlloc || memory.has(row.deviceId)) && !liesInTree(row);
  });
}

async function usesOf(search: Search, pid: number): Promise<string[]> {
  const folder = join(search.procPath, String(pid));
  const namespace = await link(join(folder, 'ns/mnt'));
  // A kernel thread, a zombie, or one that has ended.
  if (namespace === undefined) return [];
  const found: string[] = [];
  if (namespace !== search.namespace && !search.seen.has(namespace)) {
    const mounts = await mountsElsewhere(search, join(folder, 'mountinfo'));
    if (mounts.length > 0) search.seen.add(namespace);
    found.push(...mounts);
  }
  if (found.length === 0) found.push(...(await openPaths(search, folder)));
  if (found.length === 0) return [];
  const program = (await text(join(folder, 'comm')))?.trim() ?? '?';
  return found.map((what) => `pid ${pid} (${program}) ${what}`);
}

async function mountsElsewhere(search: Search, path: string): Promise<string[]> {
  const copies = new Set(search.own.map(identity));
  const rows = foreignMounts(search, await readTable(path)).filter((row) => !copies.has(identity(row)));
  const [first] = rows;
  return first === undefined ? [] : [`has it mounted at ${first.mountPoint} in its mount namespace`];
}

const identity = ({ deviceId, root, mountPoint }: MountRow): string => `${deviceId} ${root} ${mountPoint}`;

async function openPaths({ paths }: Search, folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'fd')).catch(() => []);
  const links = ['cwd', 'root', 'exe', ...names.map((name) => `fd/${name}`)];
  for (const name of links) {
    const path = await link(join(folder, name));
    if (path !== undefined && liesInAny(path.replace(/ \(deleted\)$/, ''), paths)) return [useOf(name, path)];
  }
  const maps = (await text(join(folder, 'maps'))) ?? '';
  const mapped = paths.find((path) => maps.includes(` ${path}/`));
  return mapped === undefined ? [] : [`has a file below ${mapped} mapped`];
}

function useOf(name: string, path: string): string {
  if (name === 'cwd') return `is in the directory ${path}`;
  if (name === 'root') return `has ${path} as its root`;
  return name === 'exe' ? `runs ${path}` : `has ${path} open`;
}

function liesInAny(path: string, places: readonly string[]): boolean {
  return places.some((place) => isAtOrBeneath(path, place));
}

async function readTable(path: string): Promise<readonly MountRow[]> {
  const content = await text(path);
  return content === undefined ? [] : parseMountTable(content);
}

/** Undefined if it is gone, or not for this process to see. */
const link = (path: string): Promise<string | undefined> => readlink(path).catch(() => undefined);
const text = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
