/**
 * Who keeps a mount busy, as /proc tells it: processes with a descriptor, their working directory, root, program or a mapping on it, in
 * any mount namespace that has a copy of the mount. Only links and tables of /proc are read: no file system is asked.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { type MountRow, parseMountTable, readMountTable } from './mount-table.ts';

export interface MountHolder {
  readonly pid: number;
  /** Name of the program; empty if it cannot be told. */
  readonly program: string;
  /** In which way, e.g. `working directory`. */
  readonly uses: readonly string[];
}

const HOLDERS_SHOWN = 5;
const LINKS: Readonly<Record<string, string>> = { cwd: 'working directory', root: 'root directory', exe: 'program' };

/** The processes that use the visible mount at `mountPoint`. Only those that this process may look into are found. */
export async function findMountHolders(mountPoint: string): Promise<readonly MountHolder[]> {
  const row = (await readMountTable()).findLast((candidate) => candidate.mountPoint === mountPoint);
  return row === undefined ? [] : await findHolders([row]);
}

/** The processes that use one of these mounts. Only those that this process may look into are found. */
export async function findHolders(rows: readonly MountRow[], procPath = '/proc'): Promise<readonly MountHolder[]> {
  const holders: MountHolder[] = [];
  if (rows.length === 0) return holders;
  for (const name of await readdir(procPath)) {
    if (!/^\d+$/.test(name)) continue;
    const uses = await usesOf(`${procPath}/${name}`, rows);
    if (uses.length > 0) holders.push({ pid: Number(name), program: await programOf(`${procPath}/${name}`), uses });
  }
  return holders;
}

/** For people: `pid 17 (nginx), pid 18 (sleep)`. */
export function describeHolders(holders: readonly MountHolder[]): string {
  if (holders.length === 0)
    return 'somebody who cannot be named: a process of another user, a mount on it, or the kernel';
  const shown = holders.slice(0, HOLDERS_SHOWN).map(({ pid, program }) => `pid ${pid}${program && ` (${program})`}`);
  const more = holders.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

async function usesOf(process: string, rows: readonly MountRow[]): Promise<readonly string[]> {
  const table = await readOr(() => readFile(`${process}/mountinfo`, 'utf8'), '');
  if (!rows.some(({ deviceId }) => table.includes(` ${deviceId} `))) return [];
  const seen = parseMountTable(table);
  const copies = seen.filter((copy) => rows.some((row) => isCopy(copy, row)));
  if (copies.length === 0) return [];
  const ids = new Set(copies.map(({ mountId }) => mountId));
  const uses: string[] = [];
  for (const [link, meaning] of Object.entries(LINKS)) {
    const path = await readOr(() => readlink(`${process}/${link}`), '');
    if (ids.has(mountOf(path, seen)?.mountId ?? -1)) uses.push(meaning);
  }
  if (await hasDescriptor(process, ids)) uses.push('open file');
  const mapped = new Set(await mappedPaths(process));
  if ([...mapped].some((path) => ids.has(mountOf(path, seen)?.mountId ?? -1))) uses.push('mapped file');
  return uses;
}

/** The mount as a process sees it: in its own mount namespace it has another id, and may be somewhere else. */
function isCopy(copy: MountRow, row: MountRow): boolean {
  if (copy.deviceId !== row.deviceId || copy.root !== row.root) return false;
  return copy.mountId === row.mountId || isPeer(copy, row);
}

/** Which mount a path is on: the innermost, and of several on one place the last. */
function mountOf(path: string, table: readonly MountRow[]): MountRow | undefined {
  let found: MountRow | undefined;
  for (const row of table) {
    if (isAtOrBeneath(path, row.mountPoint) && row.mountPoint.length >= (found?.mountPoint.length ?? 0)) found = row;
  }
  return found;
}

async function mappedPaths(process: string): Promise<readonly string[]> {
  const maps = await readOr(() => readFile(`${process}/maps`, 'utf8'), '');
  return maps.split('\n').flatMap((line) => {
    const slash = line.indexOf('/');
    return slash < 0 ? [] : [line.slice(slash)];
  });
}

/** An unmount goes to the peers and slaves too, and fails if one of them is in use. */
function isPeer(copy: MountRow, row: MountRow): boolean {
  const group = row.sharedGroup;
  return group !== undefined && (copy.sharedGroup === group || copy.masterGroup === group);
}

async function hasDescriptor(process: string, mountIds: ReadonlySet<number>): Promise<boolean> {
  for (const descriptor of await readOr(() => readdir(`${process}/fdinfo`), [])) {
    const text = await readOr(() => readFile(`${process}/fdinfo/${descriptor}`, 'utf8'), '');
    const id = /^mnt_id:\s*(\d+)$/m.exec(text)?.[1];
    if (id !== undefined && mountIds.has(Number(id))) return true;
  }
  return false;
}

async function programOf(process: string): Promise<string> {
  return (await readOr(() => readFile(`${process}/comm`, 'utf8'), '')).trim();
}

function isAtOrBeneath(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent === '/' ? '/' : `${parent}/`);
}

/** Processes end while they are looked at, and some may not be looked into. */
async function readOr<T>(read: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read();
  } catch {
    return otherwise;
  }
}
