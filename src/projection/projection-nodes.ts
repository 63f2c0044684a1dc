/**
 * From a node id to what it is, and from a directory and a name to a node: the reading half of the projections tree.
 *
 *   root                  one directory per projection
 *   placeholder           an empty directory, on which an audited projection is mounted
 *   projection            `..data`, `..data_tmp` during a swap, timestamped directories, links
 *   generation            see `generation-nodes.ts`
 */
import { type GenerationId, type NodeId, type ProjectionId, ROOT_NODE_ID } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Catalog } from './catalog.ts';
import { DATA_LINK_INDEX, DIRECTORY_INDEX, type GenerationNodes } from './generation-nodes.ts';
import { DATA_LINK, STAGING_LINK } from './layout.ts';
import type { PendingGenerations } from './pending-generations.ts';
import type { GenerationRecord, ProjectionRecord } from './records.ts';
import type { SwapOverlay } from './swap-overlay.ts';

export type ResolvedNode =
  | { readonly kind: 'root' }
  | { readonly kind: 'projection' | 'placeholder'; readonly id: ProjectionId; readonly record: ProjectionRecord }
  | { readonly kind: 'link'; readonly node: NodeId; readonly projection: ProjectionId; readonly name: string }
  | { readonly kind: 'generation'; readonly generation: LoadedGeneration; readonly index: number };

export interface LoadedGeneration {
  readonly id: GenerationId;
  readonly record: GenerationRecord;
  /** Read from the store at the first look. */
  readonly nodes: GenerationNodes;
}

/** Content lists kept in memory, in nodes. One that is larger is kept too, alone; to read a small one anew takes microseconds. */
const CACHED_NODES_MAX = 8_192;

export class ProjectionNodes {
  readonly #catalog: Catalog;
  readonly #overlay: SwapOverlay;
  readonly #audited: boolean;
  readonly #pending: PendingGenerations;
  /** Least recently used first. Generations are immutable: nothing here is ever stale. */
  readonly #generations = new Map<GenerationId, LoadedGeneration>();
  #cachedNodes = 0;

  /** `audited`: of the connection that shows audited projections and no others. */
  constructor(catalog: Catalog, overlay: SwapOverlay, pending: PendingGenerations, audited = false) {
    this.#catalog = catalog;
    this.#overlay = overlay;
    this.#pending = pending;
    this.#audited = audited;
  }

  /** Throws STALE if the node is gone. */
  resolve(node: NodeId): ResolvedNode {
    if (node === ROOT_NODE_ID) return { kind: 'root' };
    const pending = this.#pending.ofNode(node);
    if (pending !== undefined) {
      return { kind: 'generation', generation: this.generation(pending), index: node - pending };
    }
    const record = this.#catalog.projection(node as number as ProjectionId);
    if (record !== undefined) return this.directory(node as number as ProjectionId, record);
    const link = this.#catalog.linkOfNode(node);
    if (link !== undefined) return { kind: 'link', node, ...link };
    const found = this.#catalog.generationOfNode(node);
    if (found === undefined) throw new DunnageError('STALE', `node ${node} is gone`);
    return { kind: 'generation', generation: this.generation(found.id, found.record), index: node - found.id };
  }

  /** A projection's directory. */
  directory(id: ProjectionId, record: ProjectionRecord): ResolvedNode {
    return { kind: this.belongs(record) ? 'projection' : 'placeholder', id, record };
  }

  /** Whether this connection serves it. Takes the record of a projection or of a generation. */
  belongs({ audited = false }: Pick<ProjectionRecord | GenerationRecord, 'audited'>): boolean {
    return audited === this.#audited;
  }

  /** Everything has a directory among the projections; only what is audited has one on the audited connection. */
  hasDirectory(record: ProjectionRecord): boolean {
    return !this.#audited || this.belongs(record);
  }

  generation(id: GenerationId, known?: GenerationRecord): LoadedGeneration {
    const cached = this.#generations.get(id);
    if (cached !== undefined) {
      this.#generations.delete(id);
      this.#generations.set(id, cached);
      return cached;
    }
    const loaded = this.#load(id, known);
    this.#generations.set(id, loaded);
    this.#cachedNodes += loaded.record.nodes;
    for (const [oldest, { record: dropped }] of this.#generations) {
      if (this.#cachedNodes <= CACHED_NODES_MAX || oldest === id) break;
      this.#release(oldest, dropped.nodes);
    }
    return loaded;
  }

  #load(id: GenerationId, known: GenerationRecord | undefined): LoadedGeneration {
    const pending = this.#pending.load(id);
    if (pending !== undefined) return { id, ...pending };
    const catalog = this.#catalog;
    const record = known ?? catalog.generation(id);
    if (record === undefined) throw new DunnageError('STALE', `generation ${id} is gone`);
    let nodes: GenerationNodes | undefined;
    return {
      id,
      record,
      get nodes() {
        nodes ??= catalog.nodes(id);
        return nodes;
      },
    };
  }

  /** Takes a generation out of the cache. */
  release(id: GenerationId): void {
    const cached = this.#generations.get(id);
    if (cached !== undefined) this.#release(id, cached.record.nodes);
  }

  #release(id: GenerationId, nodes: number): void {
    this.#generations.delete(id);
    this.#cachedNodes -= nodes;
  }

  /** Whether the directory of a projection is shown: not before its mkdir(2), not after its rmdir(2). */
  isShown(id: ProjectionId, record: ProjectionRecord): boolean {
    if (this.#overlay.gone.has(id) || !this.hasDirectory(record)) return false;
    return record.state !== 'creating' || this.#overlay.made.has(id);
  }

  /** The generation that `name` stands for in a projection's directory, if it is one of its special names. */
  special(
    id: ProjectionId,
    record: ProjectionRecord,
    name: string,
  ): { generation: GenerationId; index: number } | undefined {
    const overlay = this.#overlay.get(id);
    if (name === DATA_LINK) {
      if (record.generation === 0 || this.#overlay.dataRemoved.has(id)) return undefined;
      return { generation: record.generation, index: DATA_LINK_INDEX };
    }
    if (name === STAGING_LINK) {
      const generation = this.#stillStaged(overlay?.stagingLink);
      return generation === undefined ? undefined : { generation, index: DATA_LINK_INDEX };
    }
    const generation = this.#pending.named(id, name) ?? this.#catalog.findGeneration(id, name);
    if (generation === undefined || !this.#isReachable(id, record, generation)) return undefined;
    return { generation, index: DIRECTORY_INDEX };
  }

  /** The staged generation whose directory was made through the mount. */
  stagedDirectory(id: ProjectionId): GenerationId | undefined {
    return this.#stillStaged(this.#overlay.get(id)?.staged);
  }

  /**
   * A generation that was given up for good is gone here as well, also if its names were never removed through the mount: the kernel
   * answers an unlink of a name that it knows to be absent without asking.
   */
  #stillStaged(generation: GenerationId | undefined): GenerationId | undefined {
    if (generation === undefined) return undefined;
    return this.#pending.isWaiting(generation) || this.#pending.isAborted(generation) ? generation : undefined;
  }

  /** A staged directory from its mkdir(2) on; a replaced one for a while: a reader may be on its way to it. */
  #isReachable(id: ProjectionId, record: ProjectionRecord, generation: GenerationId): boolean {
    if (generation === record.generation || this.#overlay.lingering.has(generation)) return true;
    return generation === this.stagedDirectory(id);
  }

  /** The links that are shown now, with their node ids. */
  *shownLinks(id: ProjectionId): IterableIterator<{ readonly name: string; readonly node: NodeId }> {
    const overlay = this.#overlay.get(id);
    for (const { name, node, visible } of this.#catalog.links(id)) {
      if (overlay?.removed.has(node)) continue;
      if (visible || overlay?.announced.has(node)) yield { name, node };
    }
  }

  shownLink(id: ProjectionId, name: string): NodeId | undefined {
    const link = this.#catalog.link(id, name);
    if (link === undefined) return undefined;
    const overlay = this.#overlay.get(id);
    if (overlay?.removed.has(link.node)) return undefined;
    return link.visible || overlay?.announced.has(link.node) ? link.node : undefined;
  }
}
