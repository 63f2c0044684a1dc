/**
 * The file system of the projections connection.
 *
 * It has no `open`: the transport answers OPEN, OPENDIR and FLUSH with ENOSYS, and the kernel then keeps content and
 * listings without asking. That is sound because content is immutable below a timestamped directory, and every change
 * above it is a system call through the mount, which the kernel sees. So every answer holds forever.
 *
 * Runs on the FUSE thread. Reads the catalog as of the newest commit of either thread.
 */
import { constants } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type {
  AttributesReply,
  Awaitable,
  Caller,
  DirectoryEntry,
  Entry,
  FileSystem,
  FileSystemStatus,
} from '../vfs/file-system.ts';
import { FOREVER_SECONDS } from '../vfs/file-system.ts';
import type { KernelCache } from '../vfs/ports.ts';
import type { Catalog } from './catalog.ts';
import { GenerationDrain } from './generation-drain.ts';
import { DATA_LINK_INDEX, DIRECTORY_INDEX } from './generation-nodes.ts';
import { DATA_LINK, linkTarget, STAGING_LINK } from './layout.ts';
import type { GenerationSource } from './live/live-view.ts';
import type { LookupTable } from './lookup-table.ts';
import type { PendingGenerations } from './pending-generations.ts';
import type { PendingName } from './pending-table.ts';
import {
  generationAttributes,
  linkAttributes,
  type Owner,
  projectionAttributes,
  projectionStatus,
  rootAttributes,
  rootStatus,
} from './projection-attributes.ts';
import { ProjectionNodes, type ResolvedNode } from './projection-nodes.ts';
import { ProjectionSwaps, readOnly } from './projection-swaps.ts';
import { type ExtendedAttributes, generationXattrs, NO_ATTRIBUTES, projectionXattrs } from './projection-xattrs.ts';
import type { Publications } from './publications.ts';
import type { Publisher } from './publisher.ts';
import { SwapOverlay } from './swap-overlay.ts';

export interface ProjectionTreeOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly lookups: LookupTable;
  readonly publisher: Publisher;
  readonly pending: PendingGenerations;
  readonly kernelCache: KernelCache;
  readonly clock: Clock;
  readonly owner: Owner;
  readonly graceMs: number;
  /** When the sources of the projection with that directory were read; undefined if it has none. */
  readonly sourcesSeenAtMs?: (directory: string) => number | undefined;
  readonly storeSizeBytes: () => number;
  readonly onForgotten: (id: GenerationId) => void;
  /** Told of every swap; absent where there is no live view. */
  readonly publications?: Publications;
  /** Shows audited projections and no others. Otherwise those are placeholders. */
  readonly audited?: boolean;
}

export interface DescribedFile {
  /** Where it was opened. */
  readonly view: 'projections' | 'live';
  /** Directory of its projection; undefined if that was deleted. */
  readonly projection: string | undefined;
  readonly path: string;
  /** Number of the generation. */
  readonly generation: number;
}

type ResolvedDirectory = Extract<ResolvedNode, { id: ProjectionId }>;

const NOTHING: Entry = { attributes: undefined, entryTimeoutSeconds: FOREVER_SECONDS, attributeTimeoutSeconds: 0 };

/** Cookies of a projection's directory: two fixed ones, then node ids, so that a listing goes on where it was through a swap. */
const DATA_COOKIE = 1;
const STAGING_COOKIE = 2;
const nodeCookie = (node: number): number => node + STAGING_COOKIE;

export class ProjectionTree implements FileSystem {
  readonly #options: ProjectionTreeOptions;
  readonly #catalog: Catalog;
  readonly #overlay = new SwapOverlay();
  readonly #nodes: ProjectionNodes;
  readonly #drain: GenerationDrain;
  readonly #swaps: ProjectionSwaps;
  readonly #startedAtMs: number;

  constructor(options: ProjectionTreeOptions) {
    const { catalog, clock } = options;
    this.#options = options;
    this.#catalog = catalog;
    this.#startedAtMs = clock.nowMs();
    this.#nodes = new ProjectionNodes(catalog, this.#overlay, options.pending, options.audited);
    this.#drain = new GenerationDrain({
      ...options,
      overlay: this.#overlay,
      onForgotten: (id) => {
        this.#nodes.release(id);
        options.onForgotten(id);
      },
    });
    this.#swaps = new ProjectionSwaps({
      ...options,
      nodes: this.#nodes,
      overlay: this.#overlay,
      drain: this.#drain,
    });
  }

  /**
   * Takes over from a daemon that died: names of unfinished work (`interrupted`) count as made, so that it can be undone through
   * the mount; what the kernel remembers of replaced generations goes in the end, and what it has forgotten is told of.
   */
  resume(interrupted: Iterable<PendingName>): void {
    this.#catalog.refresh();
    for (const name of [...interrupted]) this.#resumeSwap(name);
    for (const id of this.#catalog.allUnsettled()) {
      if (this.#catalog.projection(id)?.state === 'creating') this.#overlay.made.add(id);
    }
    for (const id of this.#options.lookups.ids() as readonly GenerationId[]) {
      if (this.serves(id) && !this.#isCurrent(id)) this.#drain.replace(id);
    }
    this.dropped([...this.#catalog.allDropped()]);
  }

  /** Whether the generation is one of this connection's. */
  serves(id: GenerationId): boolean {
    const record = this.#catalog.generation(id);
    return record !== undefined && this.#nodes.belongs(record);
  }

  /** Its commit was made, or its content is lost: then its names may be removed. */
  #resumeSwap(name: PendingName): void {
    const { pending } = this.#options;
    if (this.#catalog.wasPublished(name.id)) {
      pending.published(name.id);
      return;
    }
    pending.lost(name);
    const overlay = this.#overlay.of(name.projection);
    overlay.staged = name.id;
    overlay.stagingLink = name.id;
  }

  /** Whether the generation is published, or not in the store. */
  #isCurrent(id: GenerationId): boolean {
    const record = this.#catalog.generation(id);
    return record === undefined || this.#catalog.projection(record.projection)?.generation === id;
  }

  /** A staged generation shall not be published; its names may be removed through the mount. False if it was published before. */
  abort(id: GenerationId): boolean {
    this.#catalog.refresh();
    return this.#options.pending.abort(id, this.#catalog.wasPublished(id));
  }

  /** The names of an aborted generation are gone, or the kernel knows nothing of them. */
  finishAbort(id: GenerationId): void {
    const { pending, kernelCache } = this.#options;
    const staged = pending.staged(id);
    if (staged === undefined) return;
    this.#overlay.aborted(staged.projection, id);
    this.#nodes.release(id);
    pending.finish(id);
    kernelCache.invalidateEntry(staged.projection as number as NodeId, staged.directory);
  }

  /** Generations left the history without a swap. */
  dropped(ids: readonly GenerationId[]): void {
    this.#catalog.refresh();
    for (const id of ids) if (this.serves(id)) this.#drain.check(id);
  }

  close(): void {
    this.#drain.close();
  }

  /** For the live view, whose open files keep the generation that they read. */
  readonly generations: GenerationSource = {
    load: (id) => this.#nodes.generation(id),
    hold: (id) => this.#options.lookups.add(id),
    release: (id) => this.#release(id, 1),
  };

  lookup(_caller: Caller, parent: NodeId, name: string): Entry {
    const directory = this.#resolve(parent);
    switch (directory.kind) {
      case 'root': {
        const id = this.#catalog.findProjection(name);
        const record = id === undefined ? undefined : this.#catalog.projection(id);
        if (id === undefined || record === undefined || !this.#nodes.isShown(id, record)) return NOTHING;
        return this.#entry(this.#nodes.directory(id, record));
      }
      case 'placeholder':
        return NOTHING;
      case 'projection':
        return this.#lookupInProjection(directory, name);
      case 'generation': {
        const children = directory.generation.nodes.children(directory.index);
        if (children === undefined) throw new DunnageError('NOT_A_DIRECTORY', 'the parent is not a directory');
        const index = children.get(name);
        return index === undefined ? NOTHING : this.#entry({ ...directory, index });
      }
      case 'link':
        throw new DunnageError('NOT_A_DIRECTORY', 'the parent is a link');
    }
  }

  #lookupInProjection({ id, record }: ResolvedDirectory, name: string): Entry {
    if (name.startsWith('..')) {
      const special = this.#nodes.special(id, record, name);
      return special === undefined ? NOTHING : this.#generationEntry(special.generation, special.index);
    }
    const node = this.#nodes.shownLink(id, name);
    return node === undefined ? NOTHING : this.#entry({ kind: 'link', node, projection: id, name });
  }

  forget(nodeId: NodeId, count: number): void {
    const id = this.#options.pending.ofNode(nodeId) ?? this.#catalog.generationOfNode(nodeId)?.id;
    if (id !== undefined) this.#release(id, count);
  }

  #release(id: GenerationId, count: number): void {
    if (this.#options.lookups.subtract(id, count) > 0) return;
    this.#options.pending.check(id);
    this.#drain.check(id);
  }

  getAttributes(_caller: Caller, nodeId: NodeId): AttributesReply {
    return { attributes: this.#attributes(this.#resolve(nodeId)), attributeTimeoutSeconds: FOREVER_SECONDS };
  }

  readLink(_caller: Caller, nodeId: NodeId): string {
    const node = this.#resolve(nodeId);
    if (node.kind === 'link') return linkTarget(node.name);
    if (node.kind === 'generation' && node.index === DATA_LINK_INDEX) return node.generation.record.directory;
    throw new DunnageError('INVALID_ARGUMENT', 'not a link');
  }

  /** Which file a node is; throws IS_A_DIRECTORY if it is none. */
  describeFile(nodeId: NodeId): DescribedFile {
    const node = this.#resolve(nodeId);
    const file = node.kind === 'generation' ? node.generation.nodes.node(node.index) : undefined;
    if (node.kind !== 'generation' || file?.kind !== 'file') throw new DunnageError('IS_A_DIRECTORY', 'not a file');
    const { nodes, record } = node.generation;
    // The number is given when the generation is published; what is kept in memory may be from before.
    const { number = record.number } = this.#catalog.generation(node.generation.id) ?? {};
    return {
      view: 'projections',
      projection: this.#catalog.projection(record.projection)?.directory,
      path: nodes.path(node.index),
      generation: number,
    };
  }

  read(_caller: Caller, nodeId: NodeId, _handle: number, offset: number, sizeBytes: number): Awaitable<Uint8Array> {
    const node = this.#resolve(nodeId);
    const file = node.kind === 'generation' ? node.generation.nodes.node(node.index) : undefined;
    if (file?.kind !== 'file') throw new DunnageError('IS_A_DIRECTORY', 'not a file');
    const length = Math.min(sizeBytes, Math.max(0, file.sizeBytes - offset));
    if (length === 0 || node.kind !== 'generation') return new Uint8Array();
    const { blobs, pending } = this.#options;
    const prepared = pending.blob(node.generation.id, file.digest);
    return prepared === undefined
      ? blobs.read(file.digest, offset, length)
      : blobs.readStaged(prepared, offset, length);
  }

  readDirectory(_caller: Caller, nodeId: NodeId, _handle: number, cookie: number): Iterable<DirectoryEntry> {
    const directory = this.#resolve(nodeId);
    switch (directory.kind) {
      case 'root':
        return this.#listRoot(cookie);
      case 'placeholder':
        return [];
      case 'projection':
        return this.#listProjection(directory, cookie);
      case 'generation':
        return this.#listGeneration(directory, cookie);
      case 'link':
        throw new DunnageError('NOT_A_DIRECTORY', 'a link has no entries');
    }
  }

  *#listRoot(after: number): IterableIterator<DirectoryEntry> {
    for (const { id, record } of this.#catalog.projections(after)) {
      if (!this.#nodes.isShown(id, record)) continue;
      yield { name: record.directory, nodeId: id as number as NodeId, type: constants.S_IFDIR, cookie: id };
    }
  }

  *#listProjection({ id, record }: ResolvedDirectory, after: number): IterableIterator<DirectoryEntry> {
    const named = [
      { name: DATA_LINK, cookie: DATA_COOKIE },
      { name: STAGING_LINK, cookie: STAGING_COOKIE },
    ];
    for (const { name, cookie } of named) {
      const special = this.#nodes.special(id, record, name);
      if (special === undefined || cookie <= after) continue;
      const nodeId = (special.generation + special.index) as NodeId;
      yield { name, nodeId, type: constants.S_IFLNK, cookie };
    }
    const nodes: { name: string; nodeId: NodeId; type: number }[] = [];
    for (const generation of this.#listedGenerations(id, record)) {
      const name = this.#nodes.generation(generation).record.directory;
      nodes.push({ name, nodeId: generation as number as NodeId, type: constants.S_IFDIR });
    }
    for (const { name, node } of this.#nodes.shownLinks(id)) {
      nodes.push({ name, nodeId: node, type: constants.S_IFLNK });
    }
    nodes.sort((a, b) => a.nodeId - b.nodeId);
    for (const node of nodes) {
      const cookie = nodeCookie(node.nodeId);
      if (cookie > after) yield { ...node, cookie };
    }
  }

  /** Replaced generations can be reached by name for a while, but are not listed. */
  #listedGenerations(id: ProjectionId, record: ProjectionNodesRecord): GenerationId[] {
    const staged = this.#nodes.stagedDirectory(id);
    const published = record.generation === 0 || this.#overlay.dataRemoved.has(id) ? [] : [record.generation];
    return staged === undefined ? published : [...published, staged];
  }

  *#listGeneration(
    { generation, index }: Extract<ResolvedNode, { kind: 'generation' }>,
    after: number,
  ): IterableIterator<DirectoryEntry> {
    const children = generation.nodes.children(index);
    if (children === undefined) throw new DunnageError('NOT_A_DIRECTORY', 'a file has no entries');
    for (const [name, child] of children) {
      if (child <= after) continue;
      const type = generation.nodes.node(child)?.kind === 'directory' ? constants.S_IFDIR : constants.S_IFREG;
      yield { name, nodeId: generation.nodes.nodeId(child), type, cookie: child };
    }
  }

  statFileSystem(_caller: Caller, nodeId: NodeId): FileSystemStatus {
    const node = this.#resolve(nodeId);
    switch (node.kind) {
      case 'root':
        return rootStatus(this.#options.storeSizeBytes(), this.#catalog.projectionCount());
      case 'placeholder':
        return projectionStatus(undefined);
      case 'projection':
        return this.#projectionStatus(node.record);
      case 'link': {
        const record = this.#catalog.projection(node.projection);
        return record === undefined ? projectionStatus(undefined) : this.#projectionStatus(record);
      }
      case 'generation':
        return projectionStatus(node.generation.record);
    }
  }

  #projectionStatus(record: ProjectionNodesRecord): FileSystemStatus {
    return projectionStatus(record.generation === 0 ? undefined : this.#catalog.generation(record.generation));
  }

  getExtendedAttribute(_caller: Caller, nodeId: NodeId, name: string): Uint8Array | undefined {
    return this.#extendedAttributes(nodeId).get(name);
  }

  listExtendedAttributes(_caller: Caller, nodeId: NodeId): readonly string[] {
    return [...this.#extendedAttributes(nodeId).keys()];
  }

  #extendedAttributes(nodeId: NodeId): ExtendedAttributes {
    const node = this.#resolve(nodeId);
    if (node.kind === 'projection')
      return projectionXattrs(node.record, this.#options.sourcesSeenAtMs?.(node.record.directory));
    if (node.kind !== 'generation' || node.index !== DIRECTORY_INDEX) return NO_ATTRIBUTES;
    // The record in memory may be from before the publication, which gave the number.
    return generationXattrs(this.#catalog.generation(node.generation.id) ?? node.generation.record);
  }

  makeDirectory(caller: Caller, parent: NodeId, name: string): Entry {
    const directory = this.#resolve(parent);
    if (directory.kind === 'root') {
      const id = this.#swaps.makeProjection(caller, name);
      return this.#entry(this.#resolve(id as number as NodeId));
    }
    if (directory.kind !== 'projection') throw readOnly();
    return this.#generationEntry(this.#swaps.makeGeneration(directory, name), DIRECTORY_INDEX);
  }

  makeSymlink(caller: Caller, parent: NodeId, name: string, target: string): Entry {
    const directory = this.#resolve(parent);
    if (directory.kind !== 'projection') throw readOnly();
    if (name === STAGING_LINK) {
      return this.#generationEntry(this.#swaps.makeStagingLink(directory, target), DATA_LINK_INDEX);
    }
    const node = this.#swaps.announceLink(directory, caller, name, target);
    return this.#entry({ kind: 'link', node, projection: directory.id, name });
  }

  rename(
    caller: Caller,
    parent: NodeId,
    name: string,
    newParent: NodeId,
    newName: string,
    flags: number,
    onDecided?: () => void,
  ): Awaitable<void> {
    const directory = this.#resolve(parent);
    const isSwap = parent === newParent && name === STAGING_LINK && newName === DATA_LINK && flags === 0;
    if (directory.kind !== 'projection' || !isSwap) throw readOnly();
    return this.#swaps.publish(directory, caller, onDecided);
  }

  unlink(caller: Caller, parent: NodeId, name: string): void {
    const directory = this.#resolve(parent);
    if (directory.kind !== 'projection') throw readOnly();
    this.#swaps.unlink(directory, caller, name);
  }

  removeDirectory(caller: Caller, parent: NodeId, name: string): void {
    const directory = this.#resolve(parent);
    if (directory.kind === 'root') this.#swaps.removeProjection(caller, name);
    else if (directory.kind === 'projection') this.#swaps.removeGeneration(directory, caller, name);
    else throw readOnly();
  }

  #resolve(nodeId: NodeId): ResolvedNode {
    this.#catalog.refresh();
    return this.#nodes.resolve(nodeId);
  }

  #generationEntry(id: GenerationId, index: number): Entry {
    return this.#entry({ kind: 'generation', generation: this.#nodes.generation(id), index });
  }

  /** The positive answer of lookup, mkdir and symlink: counts a reference before it is granted. */
  #entry(node: ResolvedNode): Entry {
    if (node.kind === 'generation') this.#options.lookups.add(node.generation.id);
    return {
      attributes: this.#attributes(node),
      entryTimeoutSeconds: FOREVER_SECONDS,
      attributeTimeoutSeconds: FOREVER_SECONDS,
    };
  }

  #attributes(node: ResolvedNode): NonNullable<Entry['attributes']> {
    const { owner } = this.#options;
    switch (node.kind) {
      case 'root':
        return rootAttributes(this.#catalog.projectionCount(), this.#startedAtMs, owner);
      case 'placeholder':
        return projectionAttributes(node.id as number as NodeId, node.record, 0, owner);
      case 'projection': {
        const generations = this.#listedGenerations(node.id, node.record).length;
        return projectionAttributes(node.id as number as NodeId, node.record, generations, owner);
      }
      case 'link': {
        const changedAtMs = this.#catalog.projection(node.projection)?.createdAtMs ?? this.#startedAtMs;
        return linkAttributes(node.node, linkTarget(node.name), changedAtMs, owner);
      }
      case 'generation':
        return generationAttributes(node.generation, node.index, owner);
    }
  }
}

type ProjectionNodesRecord = ResolvedDirectory['record'];
