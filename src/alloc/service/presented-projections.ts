/**
 * Projections in task directories: read-only bind mounts of `projections/<name>`, on a directory that is sealed, so that
 * nobody writes there while the projection is missing. The binds are the kernel's and outlive the daemon.
 *
 * A projection that does not exist is waited for: whoever makes one says so (`AllocService.projectionChanged`).
 */
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { MountRow } from '../../mounts/mount-table.ts';
import type { BackingDirectory } from '../backing-directory.ts';
import { unsealIfThere } from '../seals.ts';
import type { AllocSpec, PresentedProjection, TaskSpec } from './alloc-spec.ts';
import { makePlace, removePlace } from './mount-places.ts';

/** Where projections are, for allocs: plugged in by the daemon. */
export interface ProjectionPlaces {
  /** Absolute path of the directory that shows the projection. */
  pathOf(name: string): string;
  exists(name: string): boolean;
}

export interface PresentedState extends PresentedProjection {
  readonly task: string;
  readonly presented: boolean;
  /** Why it is not there. */
  readonly reason?: string;
}

export interface PresentedProjectionsOptions {
  readonly directory: BackingDirectory;
  readonly projections: ProjectionPlaces;
  readonly log: Log;
}

const READ_ONLY = {
  readOnly: true,
  recursive: false,
  noSuid: true,
  noExec: false,
  noDev: true,
  noAtime: false,
} as const;

export class PresentedProjections {
  readonly #options: PresentedProjectionsOptions;

  constructor(options: PresentedProjectionsOptions) {
    this.#options = options;
  }

  /** Brings every projection of the alloc to its place, as far as it exists. What fails is in the outcome. */
  async present(spec: AllocSpec): Promise<readonly PresentedState[]> {
    const states: PresentedState[] = [];
    for (const task of spec.tasks) {
      for (const wanted of task.projections) states.push(await this.#presentOne(spec.id, task, wanted));
    }
    return states;
  }

  /** Takes them all away, with the directories they were mounted on. @throws DunnageError BUSY if one is in use */
  async withdraw(id: string, tasks: readonly TaskSpec[]): Promise<void> {
    for (const task of tasks) {
      for (const { path } of task.projections) {
        await this.#unmountAll(id, task.name, path, false);
        await this.#removePlace(id, task.name, path);
      }
    }
  }

  async #presentOne(id: string, task: TaskSpec, wanted: PresentedProjection): Promise<PresentedState> {
    const state = { task: task.name, ...wanted };
    try {
      await this.#makePlace(id, task.name, wanted.path);
      const reason = await this.#bind(id, task.name, wanted);
      return reason === undefined ? { ...state, presented: true } : { ...state, presented: false, reason };
    } catch (error) {
      const reason = error instanceof DunnageError ? error.message : String(error);
      this.#options.log.warn({ alloc: id, task: task.name, projection: wanted.name, reason }, 'cannot be presented');
      return { ...state, presented: false, reason };
    }
  }

  /** Undefined if it is there now. */
  async #bind(id: string, task: string, { name, path }: PresentedProjection): Promise<string | undefined> {
    const { directory, projections } = this.#options;
    const rows = await this.#mountedAt(id, task, path);
    if (!projections.exists(name)) {
      if (rows.length > 0) await this.#unmountAll(id, task, path, true);
      return `projections/${name} does not exist yet`;
    }
    const [top] = rows.slice(-1);
    if (top?.root === `/${name}`) return undefined;
    // What it shows is another projection, or one that was deleted and made again.
    if (rows.length > 0) await this.#unmountAll(id, task, path, true);
    await directory.mounts.bind(projections.pathOf(name), this.#target(id, task, path), READ_ONLY);
    return undefined;
  }

  /** `detach`: also if somebody reads there. That is safe: what is detached is read-only, and ends with its last reader. */
  async #unmountAll(id: string, task: string, path: string, detach: boolean): Promise<void> {
    const { mounts } = this.#options.directory;
    const target = this.#target(id, task, path);
    for (const _ of await this.#mountedAt(id, task, path)) await mounts.unmount(target, { detach });
  }

  async #mountedAt(id: string, task: string, path: string): Promise<readonly MountRow[]> {
    const target = this.#target(id, task, path);
    const rows = await this.#options.directory.mounts.list(target);
    return rows.filter(({ mountPoint }) => mountPoint === target);
  }

  #target(id: string, task: string, path: string): string {
    return join(this.#options.directory.visiblePath, id, task, path);
  }

  async #makePlace(id: string, task: string, path: string): Promise<void> {
    const { directory } = this.#options;
    const made = makePlace(join(directory.path, id, task), path);
    if (made !== undefined) await directory.changed(join(id, task, made));
    await directory.seal(join(id, task, path));
  }

  async #removePlace(id: string, task: string, path: string): Promise<void> {
    const { directory } = this.#options;
    const place = join(id, task, path);
    await unsealIfThere(directory, place);
    if (removePlace(join(directory.path, id, task), path)) await directory.changed(place);
  }
}
