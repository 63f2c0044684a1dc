/** From the description of an alloc to its directories and mounts, and back: what `AllocService` has done, one alloc at a time. */
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { AllocDir } from '../alloc-dir.ts';
import { requireRoom } from '../alloc-move.ts';
import type { BackingDirectory } from '../backing-directory.ts';
import { SharedAllocName, SharedDataDir, TaskLocal, TaskPrivate, TaskSecrets } from '../layout.ts';
import type { TaskBuildOptions } from '../task-dir.ts';
import { unveilPath } from '../unveil.ts';
import { resolveUser } from '../users.ts';
import type { Building } from './alloc-records.ts';
import type { AllocSpec, TaskSpec } from './alloc-spec.ts';
import { findAllocUsers } from './alloc-users.ts';
import { removePlace } from './mount-places.ts';
import type { PresentedProjections, PresentedState } from './presented-projections.ts';

export interface AllocBuilderOptions {
  readonly directory: BackingDirectory;
  readonly presented: PresentedProjections;
  readonly log: Log;
  /** Work that is under way ends with it. */
  readonly signal: AbortSignal;
  /** Stands in for the look into /proc in tests. */
  readonly findUsers?: typeof findAllocUsers;
}

export class AllocBuilder {
  readonly #options: AllocBuilderOptions;

  constructor(options: AllocBuilderOptions) {
    this.#options = options;
  }

  /** The alloc as the library has it. Makes nothing. */
  describe(spec: AllocSpec): AllocDir {
    const { directory, log } = this.#options;
    const dir = new AllocDir({ directory, id: spec.id, log });
    for (const { name, secretsSizeBytes, secretsOnDisk } of spec.tasks) {
      dir.newTaskDir(name, { secretsBytes: secretsSizeBytes, secretsOnDisk });
    }
    return dir;
  }

  /** @throws DunnageError NOT_FOUND for a user the host does not know: nothing was made then. */
  async resolveUsers(spec: AllocSpec): Promise<void> {
    for (const { user } of spec.tasks) if (user !== undefined) await resolveUser(user);
  }

  /**
   * Makes what is missing, and leaves what is there as it is; what is in `building` gets the modes and owners of a new one. May be
   * repeated. Gives the tasks whose secrets were lost: their memory had to be made anew.
   */
  async make(spec: AllocSpec, building: Building | undefined): Promise<readonly string[]> {
    const dir = this.describe(spec);
    const before = await this.#withSecrets(spec);
    if (building?.shared === true) await dir.build();
    else await dir.restore();
    const isNew = new Set(building?.tasks);
    for (const task of spec.tasks) {
      const taskDir = dir.getTaskDir(task.name);
      const options = await this.#buildOptions(task);
      if (isNew.has(task.name)) await taskDir?.build(options);
      else await taskDir?.restore(options);
    }
    const after = await this.#withSecrets(spec);
    return [...after].filter((task) => !before.has(task) && !isNew.has(task));
  }

  present(spec: AllocSpec): Promise<readonly PresentedState[]> {
    return this.#options.presented.present(spec);
  }

  /** @throws DunnageError BUSY */
  async withdraw(spec: AllocSpec, tasks: readonly TaskSpec[] = spec.tasks): Promise<void> {
    await this.#options.presented.withdraw(spec.id, tasks);
  }

  /** Whether `move` can be made. Preconditions: both are withdrawn. @throws DunnageError NOT_EMPTY */
  async requireRoom(from: AllocSpec, to: AllocSpec, tasks: readonly string[]): Promise<void> {
    const { directory } = this.#options;
    await requireRoom({ from: { directory, id: from.id }, to: { directory, id: to.id }, tasks });
  }

  /** Moves data and the local directories of the tasks from one alloc to the other. May be repeated after a crash. */
  async move(from: AllocSpec, to: AllocSpec, tasks: readonly string[]): Promise<void> {
    await this.#removeEmpty(from, tasks);
    const target = this.describe(to);
    await target.restore();
    await target.move(this.describe(from), tasks, { signal: this.#options.signal });
  }

  /** What an earlier attempt has moved may be there again, empty: it must not be moved over what arrived. */
  async #removeEmpty({ id }: AllocSpec, tasks: readonly string[]): Promise<void> {
    const { directory } = this.#options;
    for (const path of [join(SharedAllocName, SharedDataDir), ...tasks.map((name) => join(name, TaskLocal))]) {
      if (removePlace(join(directory.path, id), path)) await directory.changed(join(id, path));
    }
  }

  /** Who uses the alloc, in words. */
  async users(id: string, tasks: readonly TaskSpec[]): Promise<readonly string[]> {
    const { directory, findUsers = findAllocUsers } = this.#options;
    const { runtimePath, visiblePath } = directory;
    const otherPaths = [
      ...[TaskSecrets, TaskPrivate].map((kind) => join(runtimePath, kind, id)),
      ...tasks.map(({ name }) => unveilPath(directory, id, name)),
    ];
    return await findUsers({ id, visiblePath, otherPaths });
  }

  /** Unmounts and removes everything. @throws DunnageError BUSY if somebody uses it */
  async destroy(spec: AllocSpec): Promise<void> {
    await this.withdraw(spec);
    await this.describe(spec).destroy({ signal: this.#options.signal });
  }

  async #buildOptions(task: TaskSpec): Promise<TaskBuildOptions> {
    const { isolation, chroot } = task;
    const user = task.user === undefined ? {} : { user: await resolveUser(task.user) };
    return { isolation, chroot, ...user, signal: this.#options.signal };
  }

  /** Tasks that have their tmpfs. */
  async #withSecrets(spec: AllocSpec): Promise<ReadonlySet<string>> {
    const { directory } = this.#options;
    const place = join(directory.runtimePath, TaskSecrets, spec.id);
    const mounted = new Set((await directory.mounts.list(place)).map(({ mountPoint }) => mountPoint));
    return new Set(spec.tasks.map(({ name }) => name).filter((name) => mounted.has(join(place, name))));
  }
}
