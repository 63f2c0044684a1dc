/**
 * Unveil isolation: `<mounts>/<alloc>-<task>`, which only the task's user may enter (0710), has what the task may see: `alloc`, `local`, `tmp` and
 * `secrets`. They are bind mounts (nosuid, noatime); where mounting is not permitted, symbolic links.
 */
import { chmod, chown, lstat, mkdir, readlink, rmdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { MountRow } from '../mounts/mount-table.ts';
import { systemCode } from '../native/system-error.ts';
import type { BackingDirectory } from './backing-directory.ts';
import type { Owner } from './directories.ts';
import { SharedAllocName, TaskLocal, TaskSecrets, TmpDirName } from './layout.ts';
import { runtimePathOf } from './task-secrets.ts';

const PARENT_MODE = 0o710;
const NAMES = [SharedAllocName, TaskLocal, TmpDirName, TaskSecrets] as const;
const BIND = { readOnly: false, recursive: false, noSuid: true, noExec: false, noAtime: true } as const;

export interface UnveilScene {
  readonly directory: BackingDirectory;
  readonly id: string;
  readonly name: string;
  readonly user: Owner | undefined;
  /** Whether the secrets are memory that is mounted; otherwise mounting is not permitted here. */
  readonly hasMounts: boolean;
}

export function unveilPath(directory: BackingDirectory, id: string, task: string): string {
  return join(directory.mountsPath, `${id}-${task}`);
}

/**
 * What is mounted there for this task. Another alloc and another task can have the same name together (`a-b` and `c`, `a` and `b-c`): what is theirs
 * is left out.
 */
export async function unveiledMounts(
  directory: BackingDirectory,
  id: string,
  task: string,
): Promise<readonly MountRow[]> {
  const rows = await directory.mounts.list(unveilPath(directory, id, task));
  return isOfOther(rows, directory, id, task) ? [] : rows;
}

function isOfOther(rows: readonly MountRow[], directory: BackingDirectory, id: string, task: string): boolean {
  const shared = join(unveilPath(directory, id, task), SharedAllocName);
  const row = rows.find(({ mountPoint }) => mountPoint === shared);
  return row !== undefined && !row.root.endsWith(`/${id}/${SharedAllocName}`);
}

/** Makes what is missing. What is mounted stays as it is: nothing in it is touched. */
export async function unveil(scene: UnveilScene): Promise<void> {
  const { directory, id, name } = scene;
  const parent = unveilPath(directory, id, name);
  const rows = await directory.mounts.list(parent);
  if (isOfOther(rows, directory, id, name)) {
    throw new DunnageError('ALREADY_EXISTS', `${parent} is the directory of a task of another alloc`, {
      remedy: 'give the task another name',
    });
  }
  const mounted = new Set(rows.map(({ mountPoint }) => mountPoint));
  try {
    if (mounted.size === 0) await makeParent(parent, scene.user);
    for (const entry of NAMES) {
      const path = join(parent, entry);
      if (mounted.has(path)) continue;
      if (!scene.hasMounts) {
        await makeLink(sourceOf(scene, entry), path);
        continue;
      }
      await makeDirectory(path);
      await directory.mounts.bind(sourceOf(scene, entry), path, { ...BIND, noExec: entry === TaskSecrets });
    }
  } catch (error) {
    throw fromSystemError(error, `cannot make ${parent}`);
  }
}

/** When nothing is mounted there any more. */
export async function removeUnveiled(directory: BackingDirectory, id: string, task: string): Promise<void> {
  const parent = unveilPath(directory, id, task);
  // Nothing of this task is mounted any more: it is that of another alloc.
  if ((await directory.mounts.list(parent)).length > 0) return;
  for (const entry of NAMES) {
    const path = join(parent, entry);
    await unlessMissing(async () => ((await lstat(path)).isSymbolicLink() ? unlink(path) : rmdir(path)));
  }
  await unlessMissing(() => rmdir(parent));
}

function sourceOf({ directory, id, name, hasMounts }: UnveilScene, entry: (typeof NAMES)[number]): string {
  if (entry === SharedAllocName) return join(directory.visiblePath, id, SharedAllocName);
  if (entry === TaskSecrets && hasMounts) return runtimePathOf(directory, 'secrets', id, name);
  return join(directory.visiblePath, id, name, entry);
}

async function makeParent(path: string, user: Owner | undefined): Promise<void> {
  await makeDirectory(path);
  if (process.geteuid?.() === 0 && user !== undefined) await chown(path, user.uid, user.gid);
  await chmod(path, PARENT_MODE);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    if (!(await lstat(path)).isDirectory()) {
      throw new DunnageError('NOT_A_DIRECTORY', `${path} is no directory`, { remedy: 'remove it', cause: error });
    }
  }
}

async function makeLink(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST' || (await readlink(path)) !== target) throw error;
  }
}

async function unlessMissing(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (systemCode(error) !== 'ENOENT')
      throw fromSystemError(error, 'cannot remove what a task with unveil isolation had');
  }
}
