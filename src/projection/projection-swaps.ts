/**
 * The writing half of the projections tree. A system call is let through if it moves the tree towards what the catalog
 * wants, and is EROFS otherwise; nothing depends on who makes it. What starts a swap names a staged generation, whose
 * directory name cannot be guessed.
 *
 * A request that the kernel sends again (`caller.resent`) may have been carried out by the daemon before: then the
 * state it asks for is there already, and that is success.
 */
import type { Clock } from '../base/clock.ts';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Caller } from '../vfs/file-system.ts';
import type { Catalog, Publication } from './catalog.ts';
import type { GenerationDrain } from './generation-drain.ts';
import { DIRECTORY_INDEX } from './generation-nodes.ts';
import { DATA_LINK, linkTarget, STAGING_LINK } from './layout.ts';
import type { ProjectionNodes } from './projection-nodes.ts';
import type { Publications } from './publications.ts';
import type { ProjectionRecord } from './records.ts';
import type { SwapOverlay } from './swap-overlay.ts';

export function readOnly(): DunnageError {
  return new DunnageError('READ_ONLY', 'projections are written through the control API only');
}

export interface SwapsOptions {
  readonly catalog: Catalog;
  readonly nodes: ProjectionNodes;
  readonly overlay: SwapOverlay;
  readonly drain: GenerationDrain;
  readonly clock: Clock;
  readonly publications?: Publications;
}

interface Directory {
  readonly id: ProjectionId;
  readonly record: ProjectionRecord;
}

export class ProjectionSwaps {
  readonly #catalog: Catalog;
  readonly #nodes: ProjectionNodes;
  readonly #overlay: SwapOverlay;
  readonly #drain: GenerationDrain;
  readonly #clock: Clock;
  readonly #publications: Publications | undefined;

  constructor(options: SwapsOptions) {
    this.#catalog = options.catalog;
    this.#nodes = options.nodes;
    this.#overlay = options.overlay;
    this.#drain = options.drain;
    this.#clock = options.clock;
    this.#publications = options.publications;
  }

  /** mkdir of a projection's directory. */
  makeProjection(caller: Caller, name: string): ProjectionId {
    for (const id of this.#overlay.gone) if (this.#catalog.projection(id) === undefined) this.#overlay.gone.delete(id);
    const id = this.#catalog.findProjection(name);
    const record = id === undefined ? undefined : this.#catalog.projection(id);
    if (id === undefined || record === undefined || !this.#nodes.hasDirectory(record)) throw readOnly();
    if (this.#nodes.isShown(id, record) && !caller.resent) {
      throw new DunnageError('ALREADY_EXISTS', `projection ${name} exists`);
    }
    if (record.state === 'creating') this.#overlay.made.add(id);
    return id;
  }

  /** mkdir of a staged generation's directory. */
  makeGeneration({ id }: Directory, name: string): GenerationId {
    const generation = this.#stagedGeneration(id, name);
    this.#overlay.of(id).staged = generation;
    return generation;
  }

  /** symlink `..data_tmp` -> staged directory. */
  makeStagingLink({ id }: Directory, target: string): GenerationId {
    const generation = this.#stagedGeneration(id, target);
    this.#overlay.of(id).stagingLink = generation;
    return generation;
  }

  /** symlink `<name>` -> `..data/<name>`. */
  announceLink({ id, record }: Directory, caller: Caller, name: string, target: string): NodeId {
    const link = this.#catalog.link(id, name);
    if (link === undefined || target !== linkTarget(name) || !this.#isWanted(record, name)) throw readOnly();
    if (this.#nodes.shownLink(id, name) !== undefined && !caller.resent) {
      throw new DunnageError('ALREADY_EXISTS', `${name} exists`);
    }
    this.#overlay.of(id).announced.add(link.node);
    return link.node;
  }

  /** rename `..data_tmp` -> `..data`: the commit. Resolves when the new generation is on disk. */
  async publish({ id, record }: Directory, caller: Caller): Promise<void> {
    const generation = this.#overlay.get(id)?.stagingLink;
    if (generation === undefined) {
      if (caller.resent && record.generation !== 0) return;
      throw readOnly();
    }
    const { replaced, dropped } = await this.#commit(id, generation);
    this.#overlay.published(id);
    if (replaced !== 0) this.#drain.replace(replaced);
    for (const old of dropped) this.#drain.check(old);
  }

  async #commit(id: ProjectionId, generation: GenerationId): Promise<Publication> {
    this.#publications?.begin(id, generation);
    try {
      const publication = await this.#catalog.publish(generation, this.#clock.nowMs());
      this.#publications?.published(id);
      return publication;
    } catch (error) {
      this.#publications?.abandoned(id);
      throw error;
    }
  }

  unlink({ id, record }: Directory, caller: Caller, name: string): void {
    if (name === STAGING_LINK) this.#removeStagingLink(id, caller);
    else if (name === DATA_LINK) this.#removeDataLink(id, record);
    else this.#removeVisibleLink({ id, record }, caller, name);
  }

  #removeDataLink(id: ProjectionId, record: ProjectionRecord): void {
    if (record.state !== 'deleting') throw readOnly();
    this.#overlay.dataRemoved.add(id);
  }

  #removeVisibleLink({ id, record }: Directory, caller: Caller, name: string): void {
    const node = this.#nodes.shownLink(id, name);
    if (node === undefined) {
      if (caller.resent) return;
      throw new DunnageError('NOT_FOUND', `${name} does not exist`);
    }
    if (record.state !== 'deleting' && this.#isWanted(record, name)) throw readOnly();
    this.#overlay.of(id).removed.add(node);
  }

  /** rmdir of the directory of a generation that was given up. */
  removeGeneration({ id }: Directory, caller: Caller, name: string): void {
    const generation = this.#catalog.findGeneration(id, name);
    const overlay = this.#overlay.get(id);
    if (generation === undefined || overlay?.staged !== generation) {
      if (caller.resent) return;
      throw readOnly();
    }
    if (!this.#catalog.staged(generation)?.aborted) throw readOnly();
    this.#overlay.of(id).staged = undefined;
  }

  removeProjection(caller: Caller, name: string): void {
    const id = this.#catalog.findProjection(name);
    const record = id === undefined ? undefined : this.#catalog.projection(id);
    if (id === undefined || record === undefined || this.#overlay.gone.has(id)) {
      if (caller.resent) return;
      throw new DunnageError('NOT_FOUND', `${name} does not exist`);
    }
    if (record.state !== 'deleting') throw readOnly();
    const isServed = this.#nodes.belongs(record);
    if (isServed) this.#publications?.removed(id);
    this.#overlay.deleted(id);
    if (!isServed) return;
    for (const generation of record.history) this.#drain.replace(generation);
  }

  #removeStagingLink(id: ProjectionId, caller: Caller): void {
    const generation = this.#overlay.get(id)?.stagingLink;
    if (generation === undefined) {
      if (caller.resent) return;
      throw new DunnageError('NOT_FOUND', `${STAGING_LINK} does not exist`);
    }
    if (!this.#catalog.staged(generation)?.aborted) throw readOnly();
    this.#overlay.of(id).stagingLink = undefined;
  }

  #stagedGeneration(projection: ProjectionId, name: string): GenerationId {
    const generation = this.#catalog.findGeneration(projection, name);
    const staged = generation === undefined ? undefined : this.#catalog.staged(generation);
    if (generation === undefined || staged === undefined || staged.aborted) throw readOnly();
    return generation;
  }

  #isWanted(record: ProjectionRecord, name: string): boolean {
    if (record.generation === 0) return false;
    return this.#nodes.generation(record.generation).nodes.children(DIRECTORY_INDEX)?.has(name) === true;
  }
}
