/**
 * The writing half of the projections tree. A system call is let through if it moves the tree towards what the catalog
 * wants, and is EROFS otherwise; nothing depends on who makes it. What starts a swap names a staged generation, whose
 * directory name cannot be guessed.
 *
 * A request that the kernel sends again (`caller.resent`) may have been carried out by the daemon before: then the
 * state it asks for is there already, and that is success.
 */
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Recorded } from '../store/store.ts';
import type { Awaitable, Caller } from '../vfs/file-system.ts';
import type { Catalog, Publication } from './catalog.ts';
import type { GenerationDrain } from './generation-drain.ts';
import { DIRECTORY_INDEX } from './generation-nodes.ts';
import { DATA_LINK, linkTarget, STAGING_LINK } from './layout.ts';
import type { PendingGenerations } from './pending-generations.ts';
import type { ProjectionNodes } from './projection-nodes.ts';
import type { Publications } from './publications.ts';
import type { Publisher } from './publisher.ts';
import type { ProjectionRecord } from './records.ts';
import type { StagedGeneration } from './staged-generation.ts';
import type { SwapOverlay } from './swap-overlay.ts';

export function readOnly(): DunnageError {
  return new DunnageError('READ_ONLY', 'projections are written through the control API only');
}

export interface SwapsOptions {
  readonly catalog: Catalog;
  readonly publisher: Publisher;
  readonly pending: PendingGenerations;
  readonly nodes: ProjectionNodes;
  readonly overlay: SwapOverlay;
  readonly drain: GenerationDrain;
  readonly publications?: Publications;
}

interface Directory {
  readonly id: ProjectionId;
  readonly record: ProjectionRecord;
}

export class ProjectionSwaps {
  readonly #catalog: Catalog;
  readonly #publisher: Publisher;
  readonly #pending: PendingGenerations;
  readonly #nodes: ProjectionNodes;
  readonly #overlay: SwapOverlay;
  readonly #drain: GenerationDrain;
  readonly #publications: Publications | undefined;

  constructor(options: SwapsOptions) {
    this.#catalog = options.catalog;
    this.#publisher = options.publisher;
    this.#pending = options.pending;
    this.#nodes = options.nodes;
    this.#overlay = options.overlay;
    this.#drain = options.drain;
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
    const staged = this.#waiting(id, name);
    this.#pending.made(staged.id);
    this.#overlay.of(id).staged = staged.id;
    return staged.id;
  }

  /** symlink `..data_tmp` -> staged directory. */
  makeStagingLink({ id }: Directory, target: string): GenerationId {
    const staged = this.#waiting(id, target);
    this.#pending.made(staged.id);
    this.#overlay.of(id).stagingLink = staged.id;
    return staged.id;
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

  /** rename `..data_tmp` -> `..data`: the commit. Resolves when the new generation is on disk; that it will be is told before, where it is known. */
  publish({ id, record }: Directory, caller: Caller, onDecided?: () => void): Awaitable<void> {
    const generation = this.#overlay.get(id)?.stagingLink;
    if (generation === undefined) {
      if (caller.resent && record.generation !== 0) return;
      throw readOnly();
    }
    const staged = this.#pending.staged(generation);
    if (staged === undefined || !this.#pending.isWaiting(generation)) throw readOnly();
    return this.#commit(staged, onDecided);
  }

  #commit(staged: StagedGeneration, onDecided: (() => void) | undefined): Awaitable<void> {
    const { id, projection } = staged;
    let isDecided = false;
    this.#publications?.begin(projection, id);
    let commit: Recorded<Publication>;
    try {
      commit = this.#publisher.publish(staged, () => {
        this.#pending.decided(id);
        isDecided = true;
        onDecided?.();
      });
    } catch (error) {
      return this.#failed(projection, error);
    }
    this.#pending.published(id);
    this.#nodes.release(id);
    if (isDecided) {
      this.#published(projection, commit.value);
      return;
    }
    return commit.durable.then(
      () => this.#published(projection, commit.value),
      (error: unknown) => this.#failed(projection, error),
    );
  }

  #published(projection: ProjectionId, { replaced, dropped }: Publication): void {
    this.#publications?.published(projection);
    this.#overlay.published(projection);
    if (replaced !== 0) this.#drain.replace(replaced);
    for (const old of dropped) this.#drain.check(old);
  }

  async #failed(projection: ProjectionId, error: unknown): Promise<never> {
    this.#publications?.abandoned(projection);
    await this.#publisher.settled();
    throw error;
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
    const generation = this.#pending.named(id, name);
    const overlay = this.#overlay.get(id);
    if (generation === undefined || overlay?.staged !== generation) {
      if (caller.resent) return;
      throw readOnly();
    }
    if (!this.#pending.isAborted(generation)) throw readOnly();
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
    if (!this.#pending.isAborted(generation)) throw readOnly();
    this.#overlay.of(id).stagingLink = undefined;
  }

  #waiting(projection: ProjectionId, name: string): StagedGeneration {
    const staged = this.#pending.waiting(projection, name);
    if (staged === undefined) throw readOnly();
    return staged;
  }

  #isWanted(record: ProjectionRecord, name: string): boolean {
    if (record.generation === 0) return false;
    return this.#nodes.generation(record.generation).nodes.children(DIRECTORY_INDEX)?.has(name) === true;
  }
}
