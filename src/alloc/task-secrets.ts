/**
 * `secrets` and the private directory of a task: memory, mounted under the runtime directory. `secrets` is bound into the task's directory; what
 * lies beneath the bind is an empty, sealed directory that belongs to nobody who could write, so that nothing lands on disk when it is missing.
 *
 * Where mounting is not permitted there is no memory to be had: that is an error, unless the task allows its secrets on disk.
 */
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { byteText } from '../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { ensureTold, isDirectoryMode, isEmptyDirectory, type Owner, statusOf } from './directories.ts';
import type { GuardedPath } from './files/secret-guard.ts';
import { PRIVATE_BYTES, TaskPrivate, TaskSecrets } from './layout.ts';
import type { TaskScene } from './task-scene.ts';
import type { TreePlace } from './tree-work/job.ts';

export interface SecretsOptions {
  readonly sizeBytes: number;
  readonly mode: number;
  readonly owner: Owner | undefined;
  readonly mayBeOnDisk: boolean;
}

/** Where the tmpfs of a task are mounted. */
export function runtimePathOf(
  directory: Pick<BackingDirectory, 'runtimePath'>,
  kind: 'secrets' | 'private',
  id: string,
  task: string,
): string {
  return join(directory.runtimePath, kind === 'secrets' ? TaskSecrets : TaskPrivate, id, task);
}

/**
 * Mounts both, which keeps what is in them if they are mounted already. Done before anything of the task is made: false means that there is no
 * memory and the task allows the disk. @throws DunnageError PERMISSION_DENIED if it does not.
 */
export async function mountMemory(
  scene: TaskScene,
  { sizeBytes, mode, owner, mayBeOnDisk }: SecretsOptions,
): Promise<boolean> {
  const { directory, id, name } = scene;
  const { uid, gid } = owner ?? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  try {
    const secrets = runtimePathOf(directory, 'secrets', id, name);
    const own = runtimePathOf(directory, 'private', id, name);
    await makeRuntimeDirectory(secrets);
    await makeRuntimeDirectory(own);
    await directory.mounts.mountTmpfs(secrets, { sizeBytes, mode, uid, gid });
    await directory.mounts.mountTmpfs(own, { sizeBytes: PRIVATE_BYTES, mode: 0o700, uid, gid });
    // One that was mounted before may be another user's.
    if (scene.existing === 'widen') await setRoots([secrets, mode], [own, 0o700], owner);
    return true;
  } catch (error) {
    if (!(error instanceof DunnageError) || error.code !== 'PERMISSION_DENIED') throw error;
    if (mayBeOnDisk) return false;
    throw new DunnageError(
      'PERMISSION_DENIED',
      `the secrets of task "${name}" cannot be kept in memory: ${error.message}`,
      {
        remedy: 'run it as root, or allow them on disk (secretsOnDisk: true)',
        cause: error,
      },
    );
  }
}

/** Binds the memory at `<task>/secrets`; what is bound there from an earlier memory is replaced. */
export async function bindSecrets(scene: TaskScene, task: number): Promise<void> {
  const { directory, id, name } = scene;
  const source = runtimePathOf(directory, 'secrets', id, name);
  const target = join(directory.visiblePath, id, name, TaskSecrets);
  const [memory] = (await directory.mounts.list(source)).filter(({ mountPoint }) => mountPoint === source);
  const bound = (await directory.mounts.list(target)).findLast(({ mountPoint }) => mountPoint === target);
  if (bound !== undefined && bound.deviceId === memory?.deviceId) return;
  if (bound !== undefined) await directory.mounts.unmount(target);
  await makeMountPoint(scene, task, TaskSecrets);
  await directory.mounts.bind(source, target, {
    ...{ readOnly: false, recursive: false, noSuid: true, noExec: true, noDev: true },
  });
}

/** For a task that allows it: an ordinary directory. The private one is under the runtime directory all the same. */
export async function secretsOnDisk(scene: TaskScene, task: number, { mode, owner }: SecretsOptions): Promise<void> {
  const path = join(scene.id, scene.name, TaskSecrets);
  const place = { directory: task, name: TaskSecrets, staging: scene.staging };
  await ensureTold(scene.directory, path, place, { mode, owner }, scene.existing);
}

/**
 * The directory beneath a mount: empty, mode 0000, root's, sealed. `path` relative to the task's directory, a single name.
 * @throws DunnageError NOT_EMPTY if there are files on the disk where only memory may be.
 */
export async function makeMountPoint(scene: TaskScene, task: number, name: string): Promise<void> {
  const path = join(scene.id, scene.name, name);
  const attributes = { mode: 0, owner: process.geteuid?.() === 0 ? { uid: 0, gid: 0 } : undefined };
  const present = statusOf(task, name);
  if (present !== undefined && isDirectoryMode(present)) requireEmpty(task, name, path);
  await ensureTold(scene.directory, path, { directory: task, name, staging: scene.staging }, attributes, 'widen');
  await scene.seals.seal(path);
}

function requireEmpty(task: number, name: string, path: string): void {
  if (isEmptyDirectory(task, name)) return;
  throw new DunnageError('NOT_EMPTY', `there are files on the disk in ${path}, where something shall be mounted`, {
    remedy: 'move them away',
  });
}

type Root = readonly [path: string, mode: number];

async function setRoots(secrets: Root, own: Root, owner: Owner | undefined): Promise<void> {
  for (const [path, mode] of [secrets, own]) {
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    await chmod(path, mode);
  }
}

async function makeRuntimeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromSystemError(error, `cannot make ${path}`);
  }
}

/** Where the memory of tasks is mounted, for who keeps others out of it. */
export function memoryPlaces(
  directory: Pick<BackingDirectory, 'runtimePath'>,
  id: string,
  tasks: Iterable<string>,
): readonly GuardedPath[] {
  return [...tasks].flatMap((task): readonly GuardedPath[] => [
    { task, kind: 'secret', path: runtimePathOf(directory, 'secrets', id, task) },
    { task, kind: 'private', path: runtimePathOf(directory, 'private', id, task) },
  ]);
}

/** What is left of an alloc under the runtime directory when nothing is mounted there any more. */
export function runtimeTrees(directory: BackingDirectory, id: string): readonly TreePlace[] {
  return [TaskSecrets, TaskPrivate].map((kind) => ({
    directory: join(directory.runtimePath, kind),
    name: byteText(id),
  }));
}
