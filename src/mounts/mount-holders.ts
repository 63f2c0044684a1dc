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
export async function findMountHolders(mountPoint: string, procPath = '/proc'): Promise<readonly MountHolder[]> {
  const row = (await readMountTable()).findLast((candidate) => candidate.mountPoint === mountPoint);
  if (row === undefined) return [];
  const holders: MountHolder[] = [];
  for (const name of await readdir(procPath)) {
    if (!/^\d+$/.test(name)) continue;
    const uses = await usesOf(`${procPath}/${name}`, row);
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

async function usesOf(process: string, row: MountRow): Promise<readonly string[]> {
  const copies = await copiesOf(process, row);
  if (copies.length === 0) return [];
  const uses: string[] = [];
  for (const [link, meaning] of Object.entries(LINKS)) {
    const path = await readOr(() => readlink(`${process}/${link}`), '');
    if (copies.some(({ mountPoint }) => isAtOrBeneath(path, mountPoint))) uses.push(meaning);
  }
  const mountIds = new Set(copies.map(({ mountId }) => mountId));
  if (await hasDescriptor(process, mountIds)) uses.push('open file');
  const maps = await readOr(() => readFile(`${process}/maps`, 'utf8'), '');
  if (copies.some(({ mountPoint }) => maps.includes(` ${mountPoint}/`))) uses.push('mapped file');
  return uses;
}

/** The mount as the process sees it: in its own mount namespace it has another id, and may be somewhere else. */
async function copiesOf(process: string, row: MountRow): Promise<readonly MountRow[]> {
  const text = await readOr(() => readFile(`${process}/mountinfo`, 'utf8'), '');
  if (!text.includes(` ${row.deviceId} `)) return [];
  return parseMountTable(text).filter(
    (copy) =>
      copy.deviceId === row.deviceId && copy.root === row.root && (copy.mountId === row.mountId || isPeer(copy, row)),
  );
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
