/**
 * What the kernel was already told in the course of a swap, before the store says so: the names that the agent's system
 * calls have made or removed, and the names of generations that it was told to drop. Memory of the FUSE thread only; a
 * daemon that takes over starts with every name of an unfinished swap as made (`ProjectionTree.resume`), so that the
 * recovery can remove it through the mount.
 */
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';

export interface DirectoryOverlay {
  /** The staged generation whose directory was made. */
  staged: GenerationId | undefined;
  /** The generation `..data_tmp` names. */
  stagingLink: GenerationId | undefined;
  readonly announced: Set<NodeId>;
  readonly removed: Set<NodeId>;
}

export class SwapOverlay {
  readonly #directories = new Map<ProjectionId, DirectoryOverlay>();
  /** Projections whose directory was made, or removed, through the mount ahead of the store. */
  readonly made: Set<ProjectionId> = new Set();
  readonly gone: Set<ProjectionId> = new Set();
  /** Projections whose `..data` was removed on the way to their deletion. */
  readonly dataRemoved: Set<ProjectionId> = new Set();
  /** Replaced generations that are still reachable by name: their grace period runs. */
  readonly lingering: Set<GenerationId> = new Set();

  get(projection: ProjectionId): Readonly<DirectoryOverlay> | undefined {
    return this.#directories.get(projection);
  }

  of(projection: ProjectionId): DirectoryOverlay {
    let overlay = this.#directories.get(projection);
    if (overlay === undefined) {
      overlay = { staged: undefined, stagingLink: undefined, announced: new Set(), removed: new Set() };
      this.#directories.set(projection, overlay);
    }
    return overlay;
  }

  /** A new generation was published: what was announced for the one before is in the store by now. */
  published(projection: ProjectionId): void {
    this.#directories.delete(projection);
    this.made.delete(projection);
  }

  /** A generation was given up, and its names are gone. */
  aborted(projection: ProjectionId, generation: GenerationId): void {
    const overlay = this.#directories.get(projection);
    if (overlay?.staged === generation) overlay.staged = undefined;
    if (overlay?.stagingLink === generation) overlay.stagingLink = undefined;
  }

  /** Nothing of the projection is left. */
  deleted(projection: ProjectionId): void {
    this.#directories.delete(projection);
    this.made.delete(projection);
    this.dataRemoved.delete(projection);
    this.gone.add(projection);
  }
}
