/**
 * The catalog: which projections and generations exist, in LMDB. The main thread stages and settles, the FUSE thread
 * publishes; both see one store. Every method that writes is one transaction.
 *
 *   projections   id -> record                       names        directory -> id
 *   generations   id -> record                       nodes        id -> content nodes
 *   directories   [projection, `..ts`] -> generation, for every generation that still has content
 *   links         [projection, name] -> link         linkNodes    node id -> [projection, name]
 *   staged        generations not yet published      dropped      generations out of the history, kept until forgotten
 *   unsettled     projections being made, being deleted, or with links to announce or to take away
 */
import assert from 'node:assert/strict';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore, PreparedBlob } from '../store/blob-store.ts';
import { type Codec, checkedValue, jsonValue, numberAndStringKey, numberKey, stringKey } from '../store/codecs.ts';
import type { Digest } from '../store/digest.ts';
import { NodeIdCounter } from '../store/node-id-counter.ts';
import type { Store, Table } from '../store/store.ts';
import { isGenerationRecord, isLinkRecord, isProjectionRecord, isStagedRecord } from './check/record-shapes.ts';
import { type Content, retainRuns, runsEnded } from './content-runs.ts';
import {
  type ContentNode,
  contentNodesCodec,
  DIRECTORY_INDEX,
  GenerationNodes,
  nodeCount,
} from './generation-nodes.ts';
import {
  type GenerationRecord,
  type LinkRecord,
  PROJECTION_TRANSITIONS,
  type ProjectionRecord,
  type ProjectionState,
  type StagedRecord,
} from './records.ts';

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

export interface NewGeneration {
  readonly projection: ProjectionId;
  readonly directory: string;
  readonly content: readonly ContentNode[];
  /** Content that the newest generation of the projection does not have at the same path. */
  readonly blobs: readonly PreparedBlob[];
  /** The newest generation, if the caller has read it already. */
  readonly newest?: GenerationNodes | undefined;
  /** False if the top-level names are exactly those that are visible now, so that publication changes none. */
  readonly changesNames: boolean;
  /** The number of the generation whose content this is, if it does not come from the source. */
  readonly rollbackOf?: number;
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

export class Catalog {
  readonly #store: Store;
  readonly #ids: NodeIdCounter;
  readonly #projections: Table<number, ProjectionRecord>;
  readonly #names: Table<string, number>;
  readonly #generations: Table<number, GenerationRecord>;
  readonly #nodes: Table<number, readonly ContentNode[]>;
  readonly #directories: Table<readonly [number, string], number>;
  readonly #links: Table<readonly [number, string], LinkRecord>;
  readonly #linkNodes: Table<number, readonly [number, string]>;
  readonly #staged: Table<number, StagedRecord>;
  readonly #dropped: Table<number, true>;
  readonly #unsettled: Table<number, true>;

  constructor(store: Store) {
    const json = <T>(): Codec<T> => jsonValue<T>();
    this.#store = store;
    this.#ids = new NodeIdCounter(store);
    this.#projections = store.table('projections', numberKey, checkedValue(json(), isProjectionRecord));
    this.#names = store.table('projection-names', stringKey, json<number>());
    this.#generations = store.table('generations', numberKey, checkedValue(json(), isGenerationRecord));
    this.#nodes = store.table('generation-nodes', numberKey, contentNodesCodec);
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

  staged(id: GenerationId): StagedRecord | undefined {
    return this.#staged.get(id);
  }

  *allStaged(): IterableIterator<{ readonly id: GenerationId; readonly record: StagedRecord }> {
    // Looked at before every write, and empty as a rule: a count is much cheaper than a cursor.
    if (this.#staged.count() === 0) return;
    for (const { key, value } of this.#staged.range({})) yield { id: key as GenerationId, record: value };
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
    for (const { value } of this.#staged.range({})) found.add(value.projection);
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

  // ---- generations

  /** Writes a generation that nobody sees yet. `links` are the top-level names it needs. */
  stage(wanted: NewGeneration, blobs: BlobStore): GenerationId {
    return this.#store.transactBuffered(() => {
      const { projection, directory, content } = wanted;
      const nodes = nodeCount(content);
      const id = this.#ids.reserve(nodes) as number as GenerationId;
      const files = content.filter((node) => node.kind === 'file');
      const newest = this.#chain(projection).at(-1);
      const isRead = newest !== undefined && newest === wanted.newest?.id;
      const before = isRead ? wanted.newest?.content : this.#content(newest);
      retainRuns(content, before, wanted.blobs, blobs);
      this.#nodes.put(id, content);
      this.#directories.put([projection, directory], id);
      this.#staged.put(id, { projection, aborted: false });
      this.#generations.put(id, {
        projection,
        directory,
        number: 0,
        ...(wanted.rollbackOf === undefined ? {} : { rollbackOf: wanted.rollbackOf }),
        createdAtMs: wanted.nowMs,
        nodes,
        directories: content.filter((node) => node.kind === 'directory' && node.parent === DIRECTORY_INDEX).length,
        files: files.length,
        sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
        ...(this.#existing(projection).audited === true ? { audited: true } : {}),
      });
      if (wanted.changesNames) {
        this.#unsettled.put(projection, true);
        for (const node of content) if (node.parent === DIRECTORY_INDEX) this.#addLink(projection, node.name);
      }
      return id;
    });
  }

  /** THE commit of a swap: `id` becomes what `..data` names, the oldest kept one is dropped. Resolves after the flush. */
  async publish(id: GenerationId, nowMs: number): Promise<Publication> {
    return await this.#store.transactDurable(() => {
      const staged = this.#staged.get(id);
      if (staged === undefined || staged.aborted) {
        throw new DunnageError('READ_ONLY', 'the generation is no longer waiting to be published');
      }
      const before = this.#existing(staged.projection);
      const number = before.number + 1;
      this.#staged.remove(id);
      const generation = this.#existingGeneration(id);
      this.#generations.put(id, { ...generation, number });
      const record: ProjectionRecord = {
        ...before,
        state: before.state === 'creating' ? 'live' : before.state,
        generation: id,
        number,
        history: [id, ...before.history],
        updatedAtMs: nowMs,
        sourceSeenAtMs: generation.rollbackOf === undefined ? nowMs : before.sourceSeenAtMs,
      };
      return { replaced: before.generation, dropped: this.#trimHistory(staged.projection, record, record.keep) };
    });
  }

  /** A staged generation shall not be published; its names may be removed through the mount. False if it was published first. */
  abort(id: GenerationId): boolean {
    return this.#store.transactBuffered(() => {
      const staged = this.#staged.get(id);
      if (staged !== undefined) this.#staged.put(id, { ...staged, aborted: true });
      return staged !== undefined;
    });
  }

  /** Nobody sees the names of an aborted generation any more: from here on it is like a replaced one. */
  finishAbort(id: GenerationId): void {
    this.#store.transactBuffered(() => {
      const staged = this.#staged.get(id);
      if (staged === undefined) return;
      this.#staged.remove(id);
      this.#dropped.put(id, true);
      this.#removeUnusedLinks(staged.projection);
    });
  }

  /** Removes dropped generations that the kernel has forgotten, and their hold on content. Others are left alone. */
  remove(ids: readonly GenerationId[], blobs: BlobStore): void {
    this.#store.transactBuffered(() => {
      for (const id of ids) this.#remove(id, blobs);
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

  /** To be called while a publication is on its way: what was staged begins to reach the disk meanwhile. */
  expectPublication(): void {
    this.#store.startWriteback();
  }

  // ---- inside a transaction

  #existing(id: ProjectionId): ProjectionRecord {
    const record = this.#projections.get(id);
    if (record === undefined) throw new DunnageError('NOT_FOUND', `projection ${id} is gone`);
    return record;
  }

  #remove(id: GenerationId, blobs: BlobStore): void {
    const record = this.#generations.get(id);
    if (record === undefined || !this.#dropped.remove(id)) return;
    const chain = this.#chain(record.projection);
    const position = chain.indexOf(id);
    const [before, after] = [this.#content(chain[position - 1]), this.#content(chain[position + 1])];
    const ended = runsEnded(this.#content(id) ?? [], before, after);
    for (const { digest } of ended) blobs.release(digest);
    this.#nodes.remove(id);
    this.#directories.remove([record.projection, record.directory]);
    this.#generations.remove(id);
  }

  /** All generations of a projection that are in the store, in the order of their ids: see content-runs.ts. */
  #chain(projection: ProjectionId): GenerationId[] {
    const ids: number[] = [];
    for (const { value } of this.#directories.range({ start: [projection, ''], end: [projection + 1, ''] })) {
      ids.push(value);
    }
    return ids.sort((a, b) => a - b) as GenerationId[];
  }

  #content(id: GenerationId | undefined): Content | undefined {
    return id === undefined ? undefined : this.#nodes.get(id);
  }

  #existingGeneration(id: GenerationId): GenerationRecord {
    const record = this.#generations.get(id);
    if (record === undefined) throw new DunnageError('CORRUPT', `the store has no record of generation ${id}`);
    return record;
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

  #addLink(projection: ProjectionId, name: string): void {
    if (this.#links.get([projection, name]) !== undefined) return;
    const node = this.#ids.reserve(1);
    this.#links.put([projection, name], { node, visible: false });
    this.#linkNodes.put(node, [projection, name]);
  }

  #removeLink(projection: ProjectionId, name: string): void {
    const link = this.#links.get([projection, name]);
    if (link === undefined) return;
    this.#links.remove([projection, name]);
    this.#linkNodes.remove(link.node);
  }

  /** Links that were prepared for a generation which was then given up. */
  #removeUnusedLinks(projection: ProjectionId): void {
    const record = this.#projections.get(projection);
    const wanted = record?.generation ? this.nodes(record.generation).children(DIRECTORY_INDEX) : undefined;
    for (const link of [...this.links(projection)]) {
      if (!link.visible && !wanted?.has(link.name)) this.#removeLink(projection, link.name);
    }
  }
}
