/**
 * The directory of one task. `AllocDir.newTaskDir` makes these; nothing is on the disk before `build`.
 *
 * build:  memory for secrets -> <task>, local, tmp -> secrets -> (chroot: alloc, its logs read-only, the chroot map)
 *         -> (unveil: the task's directory under `mountsPath`)
 */
import { join } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { type ChrootMap, checkChrootMap, embed } from './chroot-map.ts';
import { type Existing, ensureTold, type Owner, withDirectory, withDirectoryBeneath } from './directories.ts';
import {
  DEFAULT_SECRETS_BYTES,
  LogDirName,
  requireTaskName,
  SharedAllocName,
  TaskDirs,
  TaskLocal,
  TaskSecrets,
} from './layout.ts';
import type { Seals } from './seals.ts';
import type { TaskScene } from './task-scene.ts';
import {
  bindSecrets,
  makeMountPoint,
  mountMemory,
  runtimePathOf,
  type SecretsOptions,
  secretsOnDisk,
} from './task-secrets.ts';
import { unveil, unveilPath } from './unveil.ts';
import { nobody } from './users.ts';

/**
 * - `none`, `image`: the task is given its directories one by one, so there is no `<task>/alloc`.
 * - `chroot`: the task's directory is its root: the shared directory is bound at `<task>/alloc`, host paths by the chroot map.
 * - `unveil`: the task is given `<mounts>/<alloc>-<task>`.
 */
export type Isolation = 'none' | 'image' | 'chroot' | 'unveil';

export interface TaskDirOptions {
  /** Of the memory for `secrets`; 1 MiB by default. */
  readonly secretsBytes?: number;
  /** Allows `secrets` on the disk where memory cannot be mounted; false by default. */
  readonly secretsOnDisk?: boolean;
}

export interface TaskBuildOptions {
  readonly isolation: Isolation;
  /** For chroot isolation: host path -> path in the task's directory. */
  readonly chroot?: ChrootMap;
  /** Who owns the task's directories. The user `nobody` by default; then `secrets` is open to everybody who can reach it (0777), else to the user only (0700). */
  readonly user?: Owner;
  readonly signal?: AbortSignal;
}

/** What TaskDir needs of its AllocDir. */
export interface TaskDirPlace {
  readonly directory: BackingDirectory;
  readonly id: string;
  readonly seals: Pick<Seals, 'seal'>;
  /** Work on one alloc is done one after another. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export class TaskDir {
  readonly name: string;
  /** The alloc's directory. All paths are those that containers see. */
  readonly allocDir: string;
  /** The task's directory. */
  readonly dir: string;
  /** The directory that all tasks of the alloc share. */
  readonly sharedAllocDir: string;
  /** The same within the task's directory; only there with chroot isolation. */
  readonly sharedTaskDir: string;
  readonly localDir: string;
  readonly logDir: string;
  readonly secretsDir: string;
  /** Memory that the task does not see; not in the tree. */
  readonly privateDir: string;
  /** What a task with unveil isolation is given; not in the tree. */
  readonly mountsDir: string;
  readonly secretsBytes: number;
  readonly secretsOnDisk: boolean;
  readonly #place: TaskDirPlace;

  /** @throws DunnageError INVALID_ARGUMENT, NAME_TOO_LONG for a name that cannot be. */
  constructor(place: TaskDirPlace, name: string, options: TaskDirOptions = {}) {
    requireTaskName(name);
    const { directory, id } = place;
    this.#place = place;
    this.name = name;
    this.allocDir = join(directory.visiblePath, id);
    this.dir = join(this.allocDir, name);
    this.sharedAllocDir = join(this.allocDir, SharedAllocName);
    this.sharedTaskDir = join(this.dir, SharedAllocName);
    this.localDir = join(this.dir, TaskLocal);
    this.logDir = join(this.sharedAllocDir, LogDirName);
    this.secretsDir = join(this.dir, TaskSecrets);
    this.privateDir = runtimePathOf(directory, 'private', id, name);
    this.mountsDir = unveilPath(directory, id, name);
    this.secretsBytes = options.secretsBytes ?? DEFAULT_SECRETS_BYTES;
    this.secretsOnDisk = options.secretsOnDisk ?? false;
    if (!Number.isSafeInteger(this.secretsBytes) || this.secretsBytes <= 0) {
      throw new DunnageError('INVALID_ARGUMENT', `the size of the secrets of task "${name}" is no number of bytes`);
    }
  }

  /**
   * Makes the task's directories and mounts. What is there already gets the modes and owners of new ones, mounts that are missing are
   * made, content is kept. The alloc must be built.
   * @throws DunnageError PERMISSION_DENIED if secrets cannot be in memory, INVALID_ARGUMENT for a chroot map that cannot be, NOT_FOUND
   * if the alloc is not built, INVALID_PATH for a symbolic link where a directory should be, INTERRUPTED by the signal.
   */
  async build(options: TaskBuildOptions): Promise<void> {
    await this.#place.run(() => this.#make(options, 'widen'));
  }

  /** After a restart or a reboot: as `build`, but what is there keeps the mode and owner that the task has given it. */
  async restore(options: TaskBuildOptions): Promise<void> {
    await this.#place.run(() => this.#make(options, 'keep'));
  }

  async #make(options: TaskBuildOptions, existing: Existing): Promise<void> {
    const { directory, id, seals } = this.#place;
    if (options.chroot !== undefined) checkChrootMap(options.chroot);
    const owner = process.geteuid?.() === 0 ? (options.user ?? (await nobody())) : undefined;
    await withDirectory(directory.stagingPath, (staging) =>
      withDirectory(directory.path, async (root) => {
        const scene: TaskScene = { directory, id, name: this.name, staging, existing, seals, signal: options.signal };
        await withDirectoryBeneath(root, id, (alloc) => this.#makeBeneath(scene, alloc, options, owner));
      }),
    );
  }

  async #makeBeneath(
    scene: TaskScene,
    alloc: number,
    options: TaskBuildOptions,
    owner: Owner | undefined,
  ): Promise<void> {
    const secrets = this.#secretsOptions(options, owner);
    const hasMemory = await mountMemory(scene, secrets);
    if (options.isolation === 'chroot' && !hasMemory) {
      throw new DunnageError(
        'PERMISSION_DENIED',
        `task "${this.name}" cannot have chroot isolation: mounting is not permitted`,
        {
          remedy: 'run it as root, or take isolation none',
        },
      );
    }
    await this.#ensure(scene, alloc, '', this.name, 0o777, owner);
    await withDirectoryBeneath(alloc, this.name, async (task) => {
      for (const [name, mode] of [[TaskLocal, 0o777] as const, ...Object.entries(TaskDirs)]) {
        await this.#ensure(scene, task, this.name, name, mode, owner);
      }
      if (hasMemory) await bindSecrets(scene, task);
      else await secretsOnDisk(scene, task, secrets);
      if (options.isolation === 'chroot') await this.#buildChroot(scene, task, options.chroot ?? {});
    });
    if (options.isolation === 'unveil') {
      await unveil({ directory: scene.directory, id: scene.id, name: this.name, user: owner, hasMounts: hasMemory });
    }
  }

  /** `above`: which directory of the alloc `directory` is. */
  async #ensure(
    scene: TaskScene,
    directory: number,
    above: string,
    name: string,
    mode: number,
    owner: Owner | undefined,
  ): Promise<void> {
    const place = { directory, name, staging: scene.staging };
    await ensureTold(scene.directory, join(scene.id, above, name), place, { mode, owner }, scene.existing);
  }

  async #buildChroot(scene: TaskScene, task: number, map: ChrootMap): Promise<void> {
    const { mounts } = scene.directory;
    const mounted = new Set((await mounts.list(this.sharedTaskDir)).map(({ mountPoint }) => mountPoint));
    const bind = { recursive: false, noSuid: true, noExec: false, noDev: true } as const;
    if (!mounted.has(this.sharedTaskDir)) {
      await makeMountPoint(scene, task, SharedAllocName);
      await mounts.bind(this.sharedAllocDir, this.sharedTaskDir, { ...bind, readOnly: false });
    }
    const logs = join(this.sharedTaskDir, LogDirName);
    if (!mounted.has(logs)) await mounts.bind(this.logDir, logs, { ...bind, readOnly: true });
    await embed(scene, task, map);
  }

  #secretsOptions({ isolation, user }: TaskBuildOptions, owner: Owner | undefined): SecretsOptions {
    const mode = isolation === 'unveil' ? 0o710 : user === undefined ? 0o777 : 0o700;
    return { sizeBytes: this.secretsBytes, mode, owner, mayBeOnDisk: this.secretsOnDisk };
  }
}
