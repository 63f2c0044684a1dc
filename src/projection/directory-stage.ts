/**
 * Writing and comparing the content of one timestamped directory on a plain file system.
 *
 * Staged files and directories get exact modes whatever the umask is (directories 0755); the timestamped directory
 * itself is 0700 until everything in it is complete. Everything is flushed: files, directories bottom up.
 */
import type { Dirent, Stats } from 'node:fs';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import {
  CREATE_FILE,
  fchmod,
  fchown,
  fstat,
  fsync,
  hasContent,
  inDirectory,
  NAME_DIRECTORY,
  OPEN_DIRECTORY,
  OPEN_FILE,
  unless,
  withBeneath,
  writeAll,
} from './beneath.ts';
import { forEachBounded } from './bounded.ts';
import { parentDirectories } from './path-rules.ts';
import type { FileProjection, Payload } from './payload.ts';

/** More than the threads of the libuv pool, so that the pool is never idle; few enough descriptors for any limit. */
export const PARALLEL_MAX = 16;
const DIRECTORY_MODE = 0o755;
const STAGING_MODE = 0o700;
/** chown(2): leave this id as it is. */
const KEEP_OWNER = -1;

type StepHook = (step: string) => void | Promise<void>;

/** Makes the directory `name` in `target` and writes the payload into it, durable (without the name's own entry in `target`). */
export async function stageTree(target: number, name: string, payload: Payload, onStep: StepHook): Promise<void> {
  await makeDirectory(target, name, STAGING_MODE);
  await onStep('stage-directory-made');
  await withBeneath(target, name, OPEN_DIRECTORY, async (top) => {
    const directories = [...parentDirectories(payload.keys())].sort();
    // Sorted, so that parents come first. One after another: they depend on each other.
    for (const path of directories) {
      const end = path.lastIndexOf('/');
      await withBeneath(top, end === -1 ? '.' : path.slice(0, end), NAME_DIRECTORY, (parent) =>
        makeDirectory(parent, path.slice(end + 1), DIRECTORY_MODE),
      );
    }
    await onStep('stage-directories-made');
    await forEachBounded(payload, PARALLEL_MAX, async ([path, file]) => {
      await withBeneath(top, path, CREATE_FILE, (descriptor) => fillFile(descriptor, file));
      await onStep('stage-file-written');
    });
    await forEachBounded(directories, PARALLEL_MAX, (path) => withBeneath(top, path, OPEN_DIRECTORY, fsync));
    await fchmod(top, DIRECTORY_MODE);
    await fsync(top);
  });
}

/** Flushes every file and directory again, after somebody changed modes and owners. */
export async function flushTree(target: number, name: string): Promise<void> {
  await withBeneath(target, name, OPEN_DIRECTORY, async (top) => {
    const { files, directories } = await listTree(top);
    const flush = (openFlags: number) => async (path: string) => {
      // Without permission to open it the content was still flushed when it was staged.
      await unless(['EACCES'], () => withBeneath(top, path, openFlags, fsync));
    };
    await forEachBounded(files, PARALLEL_MAX, flush(OPEN_FILE));
    await forEachBounded(directories, PARALLEL_MAX, flush(OPEN_DIRECTORY));
    await fsync(top);
  });
}

/** True if the open directory holds the payload and nothing else. Links found inside are differences, never followed. */
export async function treeMatches(top: number, payload: Payload, contentOnly: boolean): Promise<boolean> {
  const { files, directories, others } = await listTree(top);
  if (others > 0 || !sameNames(files, payload.keys())) return false;
  if (!sameNames(directories, parentDirectories(payload.keys()))) return false;
  const ownedBy = await fstat(top);
  let same = true;
  await forEachBounded(payload, PARALLEL_MAX, async ([path, file]) => {
    if (!same) return;
    // Vanished, replaced or unreadable in the meantime: not what it should be, so it is written anew.
    const matches = await unless(['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'EACCES', 'ENXIO'], () =>
      withBeneath(top, path, OPEN_FILE, (descriptor) => fileMatches(descriptor, file, contentOnly, ownedBy)),
    );
    if (matches !== true) same = false;
  });
  return same;
}

async function makeDirectory(parent: number, name: string, mode: number): Promise<void> {
  await mkdir(inDirectory(parent, name), mode);
  // By descriptor path: the umask may have left a mode with which the directory cannot be opened.
  await withBeneath(parent, name, NAME_DIRECTORY, (made) => chmod(inDirectory(made), mode));
}

async function fillFile(descriptor: number, file: FileProjection): Promise<void> {
  await writeAll(descriptor, file.data);
  await fchmod(descriptor, file.mode);
  if (file.uid !== undefined || file.gid !== undefined) {
    await fchown(descriptor, file.uid ?? KEEP_OWNER, file.gid ?? KEEP_OWNER);
  }
  await fsync(descriptor);
}

async function fileMatches(
  descriptor: number,
  file: FileProjection,
  contentOnly: boolean,
  ownedBy: Stats,
): Promise<boolean> {
  const stats = await fstat(descriptor);
  if (!stats.isFile() || stats.size !== file.data.byteLength) return false;
  if (!contentOnly && !(stats.mode % 0o10000 === file.mode && ownerMatches(stats, file, ownedBy))) return false;
  return hasContent(descriptor, file.data);
}

/**
 * Without a wish the owner is the writer's own: that of the timestamped directory, which is never chowned (asking the
 * process would be wrong on a file system that maps owners). The group may also be the process's: a directory with
 * setgid gives its group to directories made in it, but the setgid bit is not passed on to files below.
 */
function ownerMatches(stats: Stats, file: FileProjection, ownedBy: Stats): boolean {
  const userMatches = stats.uid === (file.uid ?? ownedBy.uid);
  const groups = file.gid === undefined ? [ownedBy.gid, process.getegid?.()] : [file.gid];
  return userMatches && groups.includes(stats.gid);
}

interface TreeListing {
  readonly files: string[];
  readonly directories: string[];
  /** Links, sockets, devices. */
  readonly others: number;
}

async function listTree(top: number): Promise<TreeListing> {
  const files: string[] = [];
  const directories: string[] = [];
  let others = 0;
  const add = (prefix: string, entry: Dirent): void => {
    if (entry.isDirectory()) directories.push(prefix + entry.name);
    else if (entry.isFile()) files.push(prefix + entry.name);
    else others += 1;
  };
  for (const entry of await readdir(inDirectory(top), { withFileTypes: true })) add('', entry);
  for (let index = 0; index < directories.length; index += 1) {
    const path = directories[index] ?? '';
    const listed = await listBeneath(top, path);
    if (listed === undefined) others += 1;
    else for (const entry of listed) add(`${path}/`, entry);
  }
  return { files, directories, others };
}

/** Undefined if it is no directory any more, or one too deep or too closed to be ours. */
function listBeneath(top: number, path: string): Promise<Dirent[] | undefined> {
  return unless(['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'EACCES', 'ENAMETOOLONG'], () =>
    withBeneath(top, path, OPEN_DIRECTORY, (directory) => readdir(inDirectory(directory), { withFileTypes: true })),
  );
}

function sameNames(found: readonly string[], wanted: Iterable<string>): boolean {
  const rest = new Set(wanted);
  return found.length === rest.size && found.every((name) => rest.has(name));
}
