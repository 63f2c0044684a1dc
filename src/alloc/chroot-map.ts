/**
 * Host paths shown inside a task's directory, read-only, without copying: each is a bind mount. What is there already is left as it is: a
 * directory that is there is not covered, but gets what it lacks, entry by entry.
 *
 * - A source that is missing is skipped, and so is one of dunnage's own places; in a bind of a parent of those they are not shown.
 * - Links of such an entry-by-entry directory are made anew; devices, fifos and sockets are skipped.
 * - Mount points and the directories above them are made in the backing directory. A mount point has mode 0000 and is empty, so that
 *   it is known again, and useless while nothing is mounted on it.
 */
import { closeSync, constants } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { byteText } from '../base/byte-text.ts';
import { limits } from '../base/limits.ts';
import { isAtOrBeneath } from '../base/paths.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { NODE } from '../native/node-status.ts';
import {
  type DirectoryAttributes,
  ensureTold,
  isDirectoryMode,
  isEmptyDirectory,
  openDirectory,
  statusOf,
} from './directories.ts';
import { type HostPath, resolveHostPath, splitPath } from './host-path.ts';
import { SharedAllocName, TaskLocal, TaskSecrets } from './layout.ts';
import type { TaskScene } from './task-scene.ts';

/** Host path -> path in the task's directory. */
export type ChrootMap = Readonly<Record<string, string>>;

/** Where a map shows nothing, and why: what a snapshot, a restore and a move take as a whole has no mounts in it. */
const CLOSED: ReadonlyMap<string, string> = new Map([
  [TaskSecrets, 'that is mounted by itself'],
  [SharedAllocName, 'that is mounted by itself'],
  [TaskLocal, "that is the task's own data, which is kept, restored and moved as a whole"],
]);

const BIND = { readOnly: true, recursive: true, noSuid: false, noExec: false, noDev: true } as const;

/**
 * The paths of a map in the form in which they are used: absolute, and relative to the task's directory ('' for itself).
 * @throws DunnageError INVALID_ARGUMENT for a path that is none, or that leads out of the task's directory or into what belongs to others.
 */
export function checkChrootMap(map: ChrootMap): readonly (readonly [source: string, target: string])[] {
  return Object.entries(map).map(([source, target]) => {
    const names = target.split('/').filter((name) => name !== '' && name !== '.');
    const isOdd = [source, target].some((path) => path.includes('\0') || path.split('/').includes('..'));
    if (isOdd || !source.startsWith('/')) {
      throw new DunnageError(
        'INVALID_ARGUMENT',
        `the chroot map cannot show ${JSON.stringify(source)} at ${JSON.stringify(target)}`,
        {
          remedy: "write absolute paths of the host, and paths in the task's directory, without `..`",
        },
      );
    }
    const reason = CLOSED.get(names[0] ?? '');
    if (reason !== undefined) {
      throw new DunnageError('INVALID_ARGUMENT', `the chroot map cannot show anything in ${names[0]}/: ${reason}`, {
        remedy: 'show it elsewhere in the task directory, for example at the path it has on the host',
      });
    }
    return [source, names.join('/')] as const;
  });
}

/** Makes what the map lacks. `task`: descriptor of the task's directory. */
export async function embed(scene: TaskScene, task: number, map: ChrootMap): Promise<void> {
  const depth = (path: string): number => (path === '' ? 0 : path.split('/').length);
  // The innermost first: what contains them finds their directories there and is shown around them.
  const entries = [...checkChrootMap(map)].sort(([, a], [, b]) => depth(b) - depth(a));
  const embedding = new Embedding(scene, task);
  await embedding.begin();
  for (const [source, target] of entries) {
    const found = await resolveHostPath(source, scene.directory.ownPaths);
    if (found === undefined || found.kind === 'other') continue;
    await embedding.makeParents(target);
    await embedding.present(found, target);
  }
}

class Embedding {
  readonly #native = loadNative();
  readonly #scene: TaskScene;
  readonly #task: number;
  /** Paths in the task's directory on which something is mounted. */
  readonly #mounted = new Set<string>();

  constructor(scene: TaskScene, task: number) {
    this.#scene = scene;
    this.#task = task;
  }

  async begin(): Promise<void> {
    const visible = this.#visible('');
    for (const { mountPoint } of await this.#scene.directory.mounts.list(visible)) {
      this.#mounted.add(mountPoint.slice(visible.length + 1));
    }
  }

  /** With the mode and owner that the host's directories of these names have. */
  async makeParents(target: string): Promise<void> {
    const ancestors = await splitPath(target, this.#scene.directory.ownPaths);
    for (const { path, info } of ancestors.slice(0, -1)) {
      await this.#makeDirectory(
        path,
        info?.kind === 'directory' ? attributesOf(info) : { mode: 0o755, owner: rootOwner() },
      );
    }
  }

  async present(source: HostPath, target: string): Promise<void> {
    if (this.#scene.signal?.aborted) throw new DunnageError('INTERRUPTED', 'stopped on request');
    // In a mount of an earlier entry, or mounted by an earlier build.
    if (this.#isMounted(target)) return;
    const present = target === '' ? this.#native.statNode(this.#task, '') : await this.#status(target);
    if (present === undefined || (await this.#isMountPoint(target, present, source)))
      return await this.#bind(source, target);
    if (isDirectoryMode(present) && source.kind === 'directory') await this.#presentEntries(source, target);
  }

  async #presentEntries(source: HostPath, target: string): Promise<void> {
    for (const entry of await readdir(source.path, { withFileTypes: true })) {
      const inner = target === '' ? entry.name : `${target}/${entry.name}`;
      const path = join(source.path, entry.name);
      if (target === '' && CLOSED.has(entry.name)) continue;
      if (entry.isSymbolicLink()) {
        await this.#makeLink(path, inner);
        continue;
      }
      const found = await resolveHostPath(path, this.#scene.directory.ownPaths);
      if (found !== undefined && found.kind !== 'other') await this.present(found, inner);
    }
  }

  async #bind(source: HostPath, target: string): Promise<void> {
    if (this.#mounted.size >= limits.chrootBindsMax) {
      throw new DunnageError(
        'INVALID_ARGUMENT',
        `the chroot map of task "${this.#scene.name}" needs more than ${limits.chrootBindsMax} mounts`,
        {
          remedy: 'map directories to places that are not there yet: then each is one mount',
        },
      );
    }
    await this.#makeMountPoint(source, target);
    const { directory } = this.#scene;
    await directory.mounts.bind(source.path, this.#visible(target), { ...BIND, hides: directory.ownPaths });
    this.#mounted.add(target);
  }

  async #makeMountPoint(source: HostPath, target: string): Promise<void> {
    const path = this.#path(target);
    if (source.kind === 'directory') {
      await this.#makeDirectory(target, { mode: 0, owner: rootOwner() });
      await this.#scene.seals.seal(path);
      return;
    }
    await this.#inParent(target, async (parent, name) => {
      if (statusOf(parent, name) !== undefined) return;
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      closeSync(this.#native.openNode(parent, byteText(name), flags, 0, true));
      await this.#scene.directory.changed(path);
    });
  }

  async #makeDirectory(target: string, attributes: DirectoryAttributes): Promise<void> {
    if (this.#isMounted(target)) return;
    await this.#inParent(target, async (parent, name) => {
      const place = { directory: parent, name, staging: this.#scene.staging };
      await ensureTold(this.#scene.directory, this.#path(target), place, attributes, 'keep');
    });
  }

  async #makeLink(source: string, target: string): Promise<void> {
    if (this.#isMounted(target)) return;
    const text = await readlink(source, 'latin1');
    await this.#inParent(target, async (parent, name) => {
      if (statusOf(parent, name) !== undefined) return;
      this.#native.makeSymlink(text, parent, byteText(name));
      await this.#scene.directory.changed(this.#path(target));
    });
  }

  /** Made by an earlier build, which may have been before a reboot: empty, mode 0000, root's. */
  async #isMountPoint(target: string, status: Float64Array, source: HostPath): Promise<boolean> {
    const mode = status[NODE.mode] ?? 0;
    if ((mode & 0o7777) !== 0 || status[NODE.userId] !== (rootOwner()?.uid ?? status[NODE.userId])) return false;
    if (!isDirectoryMode(status)) return source.kind === 'file' && status[NODE.sizeBytes] === 0;
    if (source.kind !== 'directory') return false;
    return await this.#inParent(target, async (parent, name) => isEmptyDirectory(parent, name));
  }

  async #status(target: string): Promise<Float64Array | undefined> {
    return await this.#inParent(target, async (parent, name) => statusOf(parent, name));
  }

  async #inParent<T>(target: string, use: (parent: number, name: string) => Promise<T>): Promise<T> {
    const slash = target.lastIndexOf('/');
    const parent = openDirectory(this.#task, target.slice(0, Math.max(slash, 0)));
    try {
      return await use(parent, target.slice(slash + 1));
    } catch (error) {
      throw fromSystemError(error, `cannot make ${target} in the directory of task "${this.#scene.name}"`);
    } finally {
      closeSync(parent);
    }
  }

  #isMounted(target: string): boolean {
    return [...this.#mounted].some((mounted) => mounted !== '' && isAtOrBeneath(target, mounted));
  }

  /** Beneath the backing directory. */
  #path(target: string): string {
    return join(this.#scene.id, this.#scene.name, target);
  }

  #visible(target: string): string {
    return join(this.#scene.directory.visiblePath, this.#path(target));
  }
}

function attributesOf({ mode, uid, gid }: HostPath): DirectoryAttributes {
  return { mode, owner: rootOwner() === undefined ? undefined : { uid, gid } };
}

function rootOwner(): { readonly uid: number; readonly gid: number } | undefined {
  return process.geteuid?.() === 0 ? { uid: 0, gid: 0 } : undefined;
}
