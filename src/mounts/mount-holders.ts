/**
 * Who keeps a mount busy, as /proc tells it: processes with a descriptor, their working directory, root, program or a mapping on it, in
 * any mount namespace that has a copy of the mount. Only links and tables of /proc are read: no file system is asked.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isAtOrBeneath } from '../base/paths.ts';
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

/**
 * The processes because of which one of these mounts cannot be unmounted. Who has a bind mount of his own of the same directory is none of
 * them. Only those that this process may look into are found.
 */
export async function findHolders(rows: readonly MountRow[], procPath = '/proc'): Promise<readonly MountHolder[]> {
  const holders: MountHolder[] = [];
  if (rows.length === 0) return holders;
  const table = await readMountTable();
  const here = new Map(table.map((row) => [row.mountId, row]));
  const search = new Search(rows.map((row) => ({ row, parent: here.get(row.parentId) })));
  // As this process sees it: one in a chroot of the same namespace sees a part only.
  search.know(linkText(`${procPath}/self/ns/mnt`), table);
  for (const name of await readdir(procPath)) {
    if (!/^\d+$/.test(name)) continue;
    const uses = await search.usesOf(`${procPath}/${name}`);
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

interface Target {
  readonly row: MountRow;
  /** Which mount it is mounted on. */
  readonly parent: MountRow | undefined;
}

/** A mount namespace: what is mounted, and which of it are copies of what is looked for. */
interface Namespace {
  readonly table: readonly MountRow[];
  readonly copies: readonly MountRow[];
  readonly ids: ReadonlySet<number>;
}

class Search {
  readonly #targets: readonly Target[];
  /** Most processes share one. */
  readonly #namespaces = new Map<string, Namespace>();

  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  know(name: string, table: readonly MountRow[]): Namespace {
    const byId = new Map(table.map((row) => [row.mountId, row]));
    const copies = table.filter((copy) =>
      this.#targets.some((target) => isCopy(copy, byId.get(copy.parentId), target)),
    );
    const namespace = { table, copies, ids: new Set(copies.map(({ mountId }) => mountId)) };
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  async usesOf(process: string): Promise<readonly string[]> {
    const namespace = await this.#namespaceOf(process);
    if (namespace === undefined || namespace.copies.length === 0) return [];
    const isOn = (path: string): boolean => namespace.ids.has(mountOf(path, namespace)?.mountId ?? -1);
    const uses: string[] = [];
    for (const [link, meaning] of Object.entries(LINKS)) {
      if (isOn(linkText(`${process}/${link}`))) uses.push(meaning);
    }
    if (hasDescriptor(process, namespace)) uses.push('open file');
    if ((await mappedPaths(process)).some(isOn)) uses.push('mapped file');
    return uses;
  }

  async #namespaceOf(process: string): Promise<Namespace | undefined> {
    const name = linkText(`${process}/ns/mnt`);
    if (name === '') return undefined;
    const known = this.#namespaces.get(name);
    if (known !== undefined) return known;
    const text = await readOr(() => readFile(`${process}/mountinfo`, 'utf8'), '');
    // It has ended meanwhile; another one of the namespace will tell.
    if (text === '') return undefined;
    return this.know(name, parseMountTable(text));
  }
}

/** The mount as a process sees it: in its own mount namespace it has another id, and may be somewhere else. */
function isCopy(copy: MountRow, parentOfCopy: MountRow | undefined, { row, parent }: Target): boolean {
  if (copy.mountId === row.mountId) return true;
  if (copy.deviceId !== row.deviceId || copy.root !== row.root) return false;
  // An unmount goes to the peers and slaves of what it is mounted on, and fails if it is in use there.
  const group = parent?.sharedGroup;
  return group !== undefined && (parentOfCopy?.sharedGroup === group || parentOfCopy?.masterGroup === group);
}

/** Which mount a path is on, if it is one of the copies or mounted in one: the innermost, and of several on one place the last. */
function mountOf(path: string, { table, copies }: Namespace): MountRow | undefined {
  if (!copies.some(({ mountPoint }) => isAtOrBeneath(path, mountPoint))) return undefined;
  let found: MountRow | undefined;
  for (const row of table) {
    if (isAtOrBeneath(path, row.mountPoint) && row.mountPoint.length >= (found?.mountPoint.length ?? 0)) found = row;
  }
  return found;
}

async function mappedPaths(process: string): Promise<readonly string[]> {
  const maps = await readOr(() => readFile(`${process}/maps`, 'utf8'), '');
  const paths = maps.split('\n').flatMap((line) => {
    const slash = line.indexOf('/');
    return slash < 0 ? [] : [line.slice(slash)];
  });
  return [...new Set(paths)];
}

/** The path tells where to look closer; the kernel's number of the mount is what counts. */
function hasDescriptor(process: string, { copies, ids }: Namespace): boolean {
  return namesIn(`${process}/fd`).some((descriptor) => {
    const path = linkText(`${process}/fd/${descriptor}`);
    if (!copies.some(({ mountPoint }) => isAtOrBeneath(path, mountPoint))) return false;
    const id = /^mnt_id:\s*(\d+)$/m.exec(fileText(`${process}/fdinfo/${descriptor}`))?.[1];
    return id !== undefined && ids.has(Number(id));
  });
}

/*
 * Of /proc, whose links and small files are there at once. Processes end while they are looked at, and some may not be looked
 * into: then there is nothing.
 */
const linkText = (path: string): string => orElse(() => readlinkSync(path), '');
const fileText = (path: string): string => orElse(() => readFileSync(path, 'utf8'), '');
const namesIn = (path: string): readonly string[] => orElse(() => readdirSync(path), []);

function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

async function programOf(process: string): Promise<string> {
  return (await readOr(() => readFile(`${process}/comm`, 'utf8'), '')).trim();
}

/** Processes end while they are looked at, and some may not be looked into. */
async function readOr<T>(read: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read();
  } catch {
    return otherwise;
  }
}
