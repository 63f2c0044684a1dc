/**
 * The catalog: which projections and generations exist, in LMDB. The main thread stages and settles, the FUSE thread
 * publishes; both see one store. Every method that writes is one transaction.
 *
 *   projections   id -> record                       names        directory -> id
 *   generations   id -> record                       nodes        id -> content nodes
 *   directories   [projection, `..ts`] -> generation, for every generation that still has content
 *   links         [projection, name] -> link         linkNodes    node id -> [projection, name]
 *   staged        large ones stored before they are  dropped      generations out of the history, kept until forgotten
 *   unsettled     projections being made, being deleted, or with links to announce or to take away
 */
import assert from 'node:assert/strict';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore, PreparedBlob } from '../store/blob-store.ts';
import {
  bytesValue,
  type Codec,
  checkedValue,
  jsonValue,
  numberAndStringKey,
  numberKey,
  remembered,
  stringKey,
} from '../store/codecs.ts';
import type { Digest } from '../store/digest.ts';
import { NodeIdCounter } from '../store/node-id-counter.ts';
import type { Store, Table } from '../store/store.ts';
import { isGenerationRecord, isLinkRecord, isProjectionRecord, isStagedRecord } from './check/record-shapes.ts';
import { type Content, type References, retainRuns, runsEnded } from './content-runs.ts';
import { GenerationChain, type GenerationChains } from './generation-chain.ts';
import { type ContentNode, contentNodesCodec, GenerationNodes } from './generation-nodes.ts';
import {
  type GenerationRecord,
  type LinkRecord,
  PROJECTION_TRANSITIONS,
  type ProjectionRecord,
  type ProjectionState,
  type StagedRecord,
} from './records.ts';
import { type NewLink, recordOf, type StagedGeneration } from './staged-generation.ts';

export interface NewProjection {
  readonly directory: string;
  readonly kind: ProjectionRecord['kind'];
  readonly namespace: string;
  readonly name: string;
  readonly immutable: boolean;
  readonly secret?: boolean;
  /** Generations kept, with the published one; from 1. */
  readonly keep: number;
  readonly audited?: boolean;
  readonly nowMs: number;
}

export interface Link extends LinkRecord {
  readonly name: string;
}

/** What a publication did to earlier generations. */
export interface Publication {
  /** What `..data` named before; 0 if this is the first. */
  readonly replaced: GenerationId | 0;
  /** Those that are kept no longer. */
  readonly dropped: readonly GenerationId[];
}

/** Ids taken from the store at once: a swap then needs no commit for its own. What is left is never used. */
export const RESERVED_NODES = 65_536;

export class Catalog {
  readonly #store: Store;
  readonly #ids: NodeIdCounter;
  readonly #projections: Table<number, ProjectionRecord>;
  readonly #names: Table<string, number>;
  readonly #generations: Table<number, GenerationRecord>;
  readonly #nodes: Table<number, readonly ContentNode[]>;
  /** The same table: a staged generation comes encoded. */
  readonly #encodedNodes: Table<number, Uint8Array>;
  readonly #directories: Table<readonly [number, string], number>;
  readonly #links: Table<readonly [number, string], LinkRecord>;
  readonly #linkNodes: Table<number, readonly [number, string]>;
  readonly #staged: Table<number, StagedRecord>;
  readonly #dropped: Table<number, true>;
  readonly #unsettled: Table<number, true>;
  #reserved: { readonly next: number; readonly left: number } = { next: 0, left: 0 };

  constructor(store: Store) {
    const json = <T>(): Codec<T> => jsonValue<T>();
    this.#store = store;
    this.#ids = new NodeIdCounter(store);
    this.#projections = store.table('projections', numberKey, remembered(checkedValue(json(), isProjectionRecord)));
    this.#names = store.table('projection-names', stringKey, json<number>());
    this.#generations = store.table('generations', numberKey, remembered(checkedValue(json(), isGenerationRecord)));
    this.#nodes = store.table('generation-nodes', numberKey, contentNodesCodec);
    this.#encodedNodes = store.table('generation-nodes', numberKey, bytesValue);
    this.#directories = store.table('generation-directories', numberAndStringKey, json<number>());
    this.#links = store.table('links', numberAndStringKey, checkedValue(json(), isLinkRecord));
    this.#linkNodes = store.table('link-nodes', numberKey, json<readonly [number, string]>());
    this.#staged = store.table('staged', numberKey, checkedValue(json(), isStagedRecord));
    this.#dropped = store.table('dropped', numberKey, json<true>());
    this.#unsettled = store.table('unsettled', numberKey, json<true>());
  }

  /** Next reads see what the other thread committed. */
  refresh(): void {
    this.#store.refresh();
  }

  // ---- reading

  projection(id: ProjectionId): ProjectionRecord | undefined {
    return this.#projections.get(id);
  }

  findProjection(directory: string): ProjectionId | undefined {
    return this.#names.get(directory) as ProjectionId | undefined;
  }

  /** In the order of their ids, from the first above `after`. */
  *projections(after = 0): IterableIterator<{ readonly id: ProjectionId; readonly record: ProjectionRecord }> {
    for (const { key, value } of this.#projections.range({ start: after + 1 })) {
      yield { id: key as ProjectionId, record: value };
    }
  }

  projectionCount(): number {
    return this.#projections.count();
  }

  generation(id: GenerationId): GenerationRecord | undefined {
    return this.#generations.get(id);
  }

  /** The generation a node id belongs to. */
  generationOfNode(node: NodeId): { readonly id: GenerationId; readonly record: GenerationRecord } | undefined {
    for (const { key, value } of this.#generations.range({ start: node, reverse: true, limit: 1 })) {
      if (node < key + value.nodes) return { id: key as GenerationId, record: value };
    }
    return undefined;
  }

  findGeneration(projection: ProjectionId, directory: string): GenerationId | undefined {
    return this.#directories.get([projection, directory]) as GenerationId | undefined;
  }

  nodes(id: GenerationId): GenerationNodes {
    const content = this.#nodes.get(id);
    if (content === undefined) throw new DunnageError('CORRUPT', `the store has no content list of generation ${id}`);
    return new GenerationNodes(id, content);
  }

  link(projection: ProjectionId, name: string): LinkRecord | undefined {
    return this.#links.get([projection, name]);
  }

  linkOfNode(node: NodeId): { readonly projection: ProjectionId; readonly name: string } | undefined {
    const found = this.#linkNodes.get(node);
    return found && { projection: found[0] as ProjectionId, name: found[1] };
  }

  *links(projection: ProjectionId): IterableIterator<Link> {
    for (const { key, value } of this.#links.range({ start: [projection, ''], end: [projection + 1, ''] })) {
      yield { name: key[1], ...value };
    }
  }

  /** Generations that were stored ahead of their publication. */
  *allStaged(): IterableIterator<GenerationId> {
    for (const { key } of this.#staged.range({})) yield key as GenerationId;
  }

  /** Whether a generation is in the store and was published at some time. */
  wasPublished(id: GenerationId): boolean {
    return (this.#generations.get(id)?.number ?? 0) > 0;
  }

  isDropped(id: GenerationId): boolean {
    return this.#dropped.get(id) === true;
  }

  *allDropped(): IterableIterator<GenerationId> {
    for (const { key } of this.#dropped.range({})) yield key as GenerationId;
  }

  /** Whether a write or a deletion of the projection was begun and is not known to be complete. */
  isUnsettled(id: ProjectionId): boolean {
    return this.#unsettled.get(id) === true;
  }

  /** Every projection that a start must look at. */
  allUnsettled(): ReadonlySet<ProjectionId> {
    const found = new Set<ProjectionId>();
    for (const { key } of this.#unsettled.range({})) found.add(key as ProjectionId);
    return found;
  }

  // ---- projections

  create(wanted: NewProjection): ProjectionId {
    return this.#store.transactBuffered(() => {
      if (this.#names.get(wanted.directory) !== undefined) {
        throw new DunnageError('ALREADY_EXISTS', `projection ${wanted.directory} exists`);
      }
      const id = this.#ids.reserve(1) as number as ProjectionId;
      const { nowMs, ...named } = wanted;
      this.#names.put(wanted.directory, id);
      this.#unsettled.put(id, true);
      this.#projections.put(id, {
        ...named,
        state: 'creating',
        generation: 0,
        number: 0,
        history: [],
        sourceSeenAtMs: 0,
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
      });
      return id;
    });
  }

  /** From now on the content is protected as a Secret's is. */
  setSecret(id: ProjectionId): void {
    this.#store.transactBuffered(() => this.#projections.put(id, { ...this.#existing(id), secret: true }));
  }

  setImmutable(id: ProjectionId, immutable: boolean): void {
    this.#store.transactBuffered(() => this.#projections.put(id, { ...this.#existing(id), immutable }));
  }

  /** The source was read and says what is published. */
  noteSourceSeen(id: ProjectionId, nowMs: number): void {
    this.#store.transactBuffered(() => this.#projections.put(id, { ...this.#existing(id), sourceSeenAtMs: nowMs }));
  }

  /** How many generations are kept from now on. Resolves to those that are dropped by it. */
  async setKeep(id: ProjectionId, keep: number): Promise<readonly GenerationId[]> {
    return await this.#store.transactDurable(() => {
      const record = { ...this.#existing(id), keep };
      return this.#trimHistory(id, record, keep);
    });
  }

  /** Drops the oldest generations but for the newest `count`, at least the published one. Resolves to the dropped ones. */
  async purge(id: ProjectionId, count: number): Promise<readonly GenerationId[]> {
    return await this.#store.transactDurable(() => this.#trimHistory(id, this.#existing(id), Math.max(1, count)));
  }

  /** Persists the intent to delete; from then on its names may be removed through the mount. */
  async beginDelete(id: ProjectionId): Promise<void> {
    await this.#store.transactDurable(() => {
      this.#unsettled.put(id, true);
      this.#transition(id, 'deleting');
    });
  }

  /** Removes every record of a projection whose names are gone; its generations stay for whoever reads one. */
  async finishDelete(id: ProjectionId): Promise<void> {
    await this.#store.transactDurable(() => {
      const record = this.#existing(id);
      assert(record.state === 'deleting');
      for (const link of [...this.links(id)]) this.#removeLink(id, link.name);
      for (const generation of record.history) this.#dropped.put(generation, true);
      this.#names.remove(record.directory);
      this.#unsettled.remove(id);
      this.#projections.remove(id);
    });
  }

  /** Returns when no thread is in a transaction; what is read next is the newest. */
  awaitWriter(): void {
    this.#store.awaitWriter();
  }

  // ---- generations

  /** The first of `count` consecutive node ids that nobody else gets. */
  reserveNodes(count: number): NodeId {
    if (this.#reserved.left < count) {
      const size = Math.max(count, RESERVED_NODES);
      this.#reserved = { next: this.#store.transactBuffered(() => this.#ids.reserve(size)), left: size };
    }
    const first = this.#reserved.next;
    this.#reserved = { next: first + count, left: this.#reserved.left - count };
    return first as NodeId;
  }

  /**
   * Stores a large generation ahead of its publication, with its hold on content. `published` is that of the published
   * generation, if the caller has read it.
   */
  store(staged: StagedGeneration, prepared: readonly PreparedBlob[], blobs: BlobStore, published?: Content): void {
    this.#store.transactBuffered(() => {
      const before = published ?? this.#content(this.#existing(staged.projection).generation);
      this.#putContent(staged, before, prepared, blobs);
      this.#generations.put(staged.id, recordOf(staged, 0));
      this.#staged.put(staged.id, { projection: staged.projection });
    });
  }

  /**
   * THE commit of a swap: the generation becomes what `..data` names, the oldest kept one is dropped. Nobody may be told before
   * `flush` has made it durable.
   */
  publish(staged: StagedGeneration, blobs: BlobStore, nowMs: number): Publication {
    return this.#store.transactBuffered(() => this.publishing(staged, blobs, nowMs));
  }

  /** Resolves when everything committed so far is on disk. */
  flush(): Promise<void> {
    return this.#store.flush();
  }

  /** A generation that was stored ahead is not published after all: it goes, and with it its hold on content. */
  discard(id: GenerationId, blobs: BlobStore): void {
    const record = this.#generations.get(id);
    const chain = record === undefined ? undefined : this.#chain(record.projection);
    this.#store.transactBuffered(() => {
      if (this.#staged.remove(id) && chain !== undefined) this.#remove(id, chain, blobs);
    });
  }

  /**
   * Removes dropped generations that the kernel has forgotten, and their hold on content. Others are left alone. `chains` is kept by a caller
   * who removes many, one call after another: so they are read once.
   */
  remove(ids: readonly GenerationId[], blobs: BlobStore, chains: GenerationChains = new Map()): void {
    // Read before the writer's lock is taken: a swap that comes meanwhile adds to the end, and nobody else removes.
    this.refresh();
    const chainOf = new Map<GenerationId, GenerationChain>();
    for (const id of ids) {
      const projection = this.#generations.get(id)?.projection;
      if (projection === undefined) continue;
      const known = chains.get(projection);
      const chain = known?.continuesBehind(id) === true ? known : this.#chain(projection);
      chains.set(projection, chain);
      chainOf.set(id, chain);
    }
    // Lost in a power failure they are dropped still, and removed by the next start.
    this.#store.transactExpendable(() => {
      for (const id of ids) {
        const chain = chainOf.get(id);
        if (chain !== undefined && this.#dropped.remove(id)) this.#remove(id, chain, blobs);
      }
    });
  }

  /** Records that links were announced to watchers, others removed, and nothing is left to do for the projection. */
  settle(id: ProjectionId, announced: readonly string[], removed: readonly string[]): void {
    this.#store.transactBuffered(() => {
      for (const name of removed) this.#removeLink(id, name);
      for (const name of announced) {
        const link = this.#links.get([id, name]);
        if (link !== undefined) this.#links.put([id, name], { ...link, visible: true });
      }
      this.#unsettled.remove(id);
    });
  }

  /** Digests a generation refers to, for comparing and checking. */
  *digests(id: GenerationId): IterableIterator<Digest> {
    for (const node of this.#nodes.get(id) ?? []) if (node.kind === 'file') yield node.digest;
  }

  // ---- inside a transaction

  /** Preconditions: in a transaction. */
  publishing(staged: StagedGeneration, blobs: BlobStore, nowMs: number): Publication {
    const { id, projection } = staged;
    const before = this.#existing(projection);
    const number = before.number + 1;
    if (staged.isStored) this.#staged.remove(id);
    else this.#putContent(staged, this.#content(before.generation), staged.blobs, adopting(blobs));
    this.#generations.put(id, recordOf(staged, number));
    if (staged.changesNames) {
      this.#unsettled.put(projection, true);
      for (const link of staged.links) this.#addLink(projection, link);
    }
    const record: ProjectionRecord = {
      ...before,
      state: before.state === 'creating' ? 'live' : before.state,
      generation: id,
      number,
      history: [id, ...before.history],
      updatedAtMs: nowMs,
      sourceSeenAtMs: staged.rollbackOf === undefined ? nowMs : before.sourceSeenAtMs,
    };
    return { replaced: before.generation, dropped: this.#trimHistory(projection, record, record.keep) };
  }

  #existing(id: ProjectionId): ProjectionRecord {
    const record = this.#projections.get(id);
    if (record === undefined) throw new DunnageError('NOT_FOUND', `projection ${id} is gone`);
    return record;
  }

  /** `chain`: all generations of its projection; it leaves it. */
  #remove(id: GenerationId, chain: GenerationChain, blobs: BlobStore): void {
    const record = this.#generations.get(id);
    if (record === undefined) return;
    if (!chain.has(id)) throw new DunnageError('CORRUPT', `the directory of generation ${id} has no row`);
    const { before, after } = chain.beside(id);
    const ended = runsEnded(this.#content(id) ?? [], before, after);
    chain.remove(id);
    for (const { digest } of ended) blobs.release(digest);
    this.#nodes.remove(id);
    this.#directories.remove([record.projection, record.directory]);
    this.#generations.remove(id);
  }

  #chain(projection: ProjectionId): GenerationChain {
    const rows = this.#directories.range({ start: [projection, ''], end: [projection + 1, ''] });
    return new GenerationChain(
      Array.from(rows, ({ value }) => value as GenerationId),
      (id) => this.#content(id),
    );
  }

  #content(id: GenerationId | 0 | undefined): Content | undefined {
    return id === undefined || id === 0 ? undefined : this.#nodes.get(id);
  }

  /** Writes the record with the newest `count` generations of its history; returns the others, dropped. */
  #trimHistory(id: ProjectionId, record: ProjectionRecord, count: number): readonly GenerationId[] {
    const dropped = record.history.slice(count);
    this.#projections.put(id, { ...record, history: record.history.slice(0, count) });
    for (const generation of dropped) this.#dropped.put(generation, true);
    return dropped;
  }

  #transition(id: ProjectionId, to: ProjectionState): void {
    const record = this.#existing(id);
    if (record.state === to) return;
    assert(PROJECTION_TRANSITIONS[record.state].includes(to), `${record.state} -> ${to}`);
    this.#projections.put(id, { ...record, state: to });
  }

  /** `published` is the newest generation in the store: one that is staged is alone, and one that is given up goes at once. */
  #putContent(
    staged: StagedGeneration,
    published: Content | undefined,
    prepared: readonly PreparedBlob[],
    references: References,
  ): void {
    const { id, projection, directory } = staged;
    retainRuns(contentNodesCodec.decode(staged.content), published, prepared, references);
    this.#encodedNodes.put(id, staged.content);
    this.#directories.put([projection, directory], id);
  }

  #addLink(projection: ProjectionId, { name, node }: NewLink): void {
    if (this.#links.get([projection, name]) !== undefined) return;
    this.#links.put([projection, name], { node, visible: false });
    this.#linkNodes.put(node, [projection, name]);
  }

  #removeLink(projection: ProjectionId, name: string): void {
    const link = this.#links.get([projection, name]);
    if (link === undefined) return;
    this.#links.remove([projection, name]);
    this.#linkNodes.remove(link.node);
  }
}

/** The FUSE thread publishes what the main thread has prepared. */
function adopting(blobs: BlobStore): References {
  return {
    retain: (blob) => blobs.adopt(blob),
    retainExisting: (digest) => blobs.retainExisting(digest),
    release: (digest) => blobs.release(digest),
  };
}
