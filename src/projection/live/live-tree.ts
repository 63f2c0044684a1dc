/**
 * The file system of `live/`: the content of projections as plain files whose inodes stay the same, on a connection that
 * answers OPEN. An open descriptor reads the generation that was published when it was opened; its handle is the node id
 * of the file in that generation, so a daemon that takes over knows it.
 *
 * Nothing is cached by the kernel: neither names (a swap may change them) nor attributes nor content. A system call that
 * would change something is let through if it is a step of a plan, and EROFS otherwise. FUSE thread only.
 */
import { constants } from 'node:fs';
import type { GenerationId, NodeId, ProjectionId } from '../../base/ids.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { FOPEN } from '../../fuse/abi.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { Store } from '../../store/store.ts';
import type {
  Attributes,
  AttributesReply,
  Awaitable,
  Caller,
  DirectoryEntry,
  Entry,
  FileSystem,
  FileSystemStatus,
  OpenReply,
  SetAttributesRequest,
} from '../../vfs/file-system.ts';
import type { Catalog } from '../catalog.ts';
import type { LookupTable } from '../lookup-table.ts';
import {
  directoryAttributes,
  generationAttributes,
  type Owner,
  projectionStatus,
  rootStatus,
  timestamp,
} from '../projection-attributes.ts';
import { type ExtendedAttributes, NO_ATTRIBUTES, projectionXattrs } from '../projection-xattrs.ts';
import { LiveAnnouncements } from './live-announcements.ts';
import { LIVE_NODE_ID, type LiveId, liveIdOf, liveNodeId } from './live-ids.ts';
import { inListingOrder, type ListedName } from './live-listing.ts';
import { joinPath, type LiveKind, type LiveNode, LiveNodes, projectionNode } from './live-nodes.ts';
import { LivePublications } from './live-publications.ts';
import { LiveReferences } from './live-references.ts';
import { LiveSteps, readOnly } from './live-steps.ts';
import { LiveSweep } from './live-sweep.ts';
import { type GenerationSource, LiveView, type Shown } from './live-view.ts';

/** A live file was opened for reading. For the audit; never with content. */
export interface LiveOpen {
  readonly projection: ProjectionId;
  readonly generation: GenerationId;
  readonly path: string;
}

export interface LiveTreeOptions {
  readonly catalog: Catalog;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly generations: GenerationSource;
  readonly lookups: LookupTable;
  readonly owner: Owner;
  readonly startedAtMs: number;
  /** When the sources of the projection with that directory were read; undefined if it has none. */
  readonly sourcesSeenAtMs?: (directory: string) => number | undefined;
  readonly prune: (nodes: readonly NodeId[]) => void;
  readonly onOpen?: (caller: Caller, event: LiveOpen) => void;
}

/** Handle of what was opened to announce a change; those for reading are node ids, which are never 0. */
const ANNOUNCING_HANDLE = 0;
const ACCESS_MODE = constants.O_WRONLY | constants.O_RDWR;
/** Names that are given a node id in one transaction, when they are listed for the first time. */
const LISTED_AT_ONCE = 64;
const NOTHING: Entry = { attributes: undefined, entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
const LIVE_ROOT = 'live';

type Place = typeof LIVE_ROOT | LiveNode;

export class LiveTree implements FileSystem {
  readonly #options: LiveTreeOptions;
  readonly #catalog: Catalog;
  readonly #nodes: LiveNodes;
  readonly #references: LiveReferences;
  readonly #view: LiveView;
  readonly #steps: LiveSteps;
  readonly #sweep: LiveSweep;
  /** How files and directories looked that are gone, and that somebody still has open or mounted. */
  readonly #departed = new Map<LiveId, Attributes>();
  readonly publications: LivePublications;

  constructor(options: LiveTreeOptions) {
    const { catalog, store, generations, lookups } = options;
    this.#options = options;
    this.#catalog = catalog;
    this.#nodes = new LiveNodes(store);
    this.#references = new LiveReferences(lookups, this.#nodes);
    this.#view = new LiveView(catalog, generations);
    const parts = { catalog, generations, nodes: this.#nodes, references: this.#references, view: this.#view };
    this.publications = new LivePublications({
      ...parts,
      announcements: new LiveAnnouncements(store),
      onLeaving: (id) => this.#noteDeparture(id),
      prune: options.prune,
    });
    this.#steps = new LiveSteps(this.#view, this.publications);
    this.#sweep = new LiveSweep(parts);
  }

  /** The tree was served by an earlier daemon. */
  resume(): void {
    this.#catalog.refresh();
    this.publications.resume();
    this.#sweep.all();
  }

  /** A new mount. */
  reset(): void {
    this.#catalog.refresh();
    this.publications.reset();
    this.#sweep.all();
  }

  /** The announcements of a projection cannot be made: what is published is shown as it is. */
  giveUp(projection: ProjectionId, towards: GenerationId | 0): void {
    this.publications.giveUp(projection, towards);
  }

  /** What the root of the connection answers to a lookup of `live`: a directory that is always there. */
  rootEntry(): Entry {
    this.#references.add(LIVE_NODE_ID);
    return this.#entry(this.#rootAttributes());
  }

  lookup(_caller: Caller, parent: NodeId, name: string): Entry {
    const place = this.#place(parent);
    if (place === LIVE_ROOT) {
      const projection = this.#catalog.findProjection(name);
      const shown = projection === undefined ? undefined : this.#view.shown(projection, '');
      if (projection === undefined || shown === undefined) return NOTHING;
      return this.#give(projectionNode(projection), shown);
    }
    if (place.kind === 'file') throw new DunnageError('NOT_A_DIRECTORY', 'the parent is a file');
    if (place.isDead) return NOTHING;
    const { projection } = place;
    const path = joinPath(place.path, name);
    const shown = this.#view.shown(projection, path);
    if (shown === undefined) return NOTHING;
    const [id] = this.#assign(place, [{ name, kind: shown.kind }]);
    return this.#give({ id: id as LiveId, projection, path, kind: shown.kind, isDead: false }, shown);
  }

  forget(nodeId: NodeId, count: number): void {
    if (!this.#references.subtract(nodeId, count)) return;
    const id = liveIdOf(nodeId);
    this.#departed.delete(id);
    this.#sweep.forgotten(id);
  }

  getAttributes(_caller: Caller, nodeId: NodeId): AttributesReply {
    const place = this.#place(nodeId);
    if (place === LIVE_ROOT) return { attributes: this.#rootAttributes(), attributeTimeoutSeconds: 0 };
    const shown = this.#shown(place);
    const attributes =
      shown === undefined ? { ...this.#departedAttributes(place), nlink: 0 } : this.#attributes(place, shown);
    return { attributes, attributeTimeoutSeconds: 0 };
  }

  *readDirectory(_caller: Caller, nodeId: NodeId, _handle: number, cookie: number): IterableIterator<DirectoryEntry> {
    const place = this.#place(nodeId);
    if (place === LIVE_ROOT) {
      yield* this.#listProjections(cookie);
      return;
    }
    if (place.kind === 'file') throw new DunnageError('NOT_A_DIRECTORY', 'a file has no entries');
    if (place.isDead) return;
    const rest = inListingOrder(this.#view.children(place.projection, place.path)).filter((e) => e.position > cookie);
    for (let first = 0; first < rest.length; first += LISTED_AT_ONCE) {
      const names = rest.slice(first, first + LISTED_AT_ONCE);
      const ids = this.#assign(place, names);
      for (const [index, { name, kind, position }] of names.entries()) {
        yield { name, nodeId: liveNodeId(ids[index] as LiveId), type: typeOf(kind), cookie: position };
      }
    }
  }

  *#listProjections(after: number): IterableIterator<DirectoryEntry> {
    for (const { id, record } of this.#catalog.projections(after)) {
      if (this.#view.shown(id, '') === undefined) continue;
      yield { name: record.directory, nodeId: liveNodeId(id), type: constants.S_IFDIR, cookie: id };
    }
  }

  statFileSystem(_caller: Caller, nodeId: NodeId): FileSystemStatus {
    const place = this.#place(nodeId);
    if (place === LIVE_ROOT) return rootStatus(this.#options.store.sizeBytes, this.#catalog.projectionCount());
    const generation = this.#view.generationOf(place.projection);
    return projectionStatus(generation === 0 ? undefined : this.#catalog.generation(generation));
  }

  getExtendedAttribute(_caller: Caller, nodeId: NodeId, name: string): Uint8Array | undefined {
    return this.#extendedAttributes(nodeId).get(name);
  }

  listExtendedAttributes(_caller: Caller, nodeId: NodeId): readonly string[] {
    return [...this.#extendedAttributes(nodeId).keys()];
  }

  /** Of files too: whoever has a single one mounted sees nothing else. */
  #extendedAttributes(nodeId: NodeId): ExtendedAttributes {
    const place = this.#place(nodeId);
    const record = place === LIVE_ROOT ? undefined : this.#catalog.projection(place.projection);
    if (record === undefined) return NO_ATTRIBUTES;
    return projectionXattrs(record, this.#options.sourcesSeenAtMs?.(record.directory));
  }

  open(caller: Caller, nodeId: NodeId, flags: number): OpenReply {
    const file = this.#file(nodeId);
    const access = flags & ACCESS_MODE;
    if (access !== constants.O_RDONLY) {
      if (access !== constants.O_WRONLY) throw readOnly();
      this.#steps.openForWriting(file);
      return { handle: ANNOUNCING_HANDLE, flags: FOPEN.DIRECT_IO };
    }
    const shown = this.#shown(file);
    if (shown?.state !== 'present') throw new DunnageError('NOT_FOUND', `${file.path} is no longer there`);
    const { generation, index } = shown;
    this.#options.generations.hold(generation.id);
    const { projection, path } = file;
    this.#options.onOpen?.(caller, { projection, generation: generation.id, path });
    return { handle: generation.nodes.nodeId(index), flags: FOPEN.DIRECT_IO };
  }

  /** A release that is asked for again may have been carried out: rather keep content for too long than too short. */
  release(_nodeId: NodeId, handle: number, resent: boolean): void {
    if (handle === ANNOUNCING_HANDLE || resent) return;
    this.#catalog.refresh();
    const found = this.#catalog.generationOfNode(handle as NodeId);
    if (found !== undefined) this.#options.generations.release(found.id);
  }

  read(_caller: Caller, _nodeId: NodeId, handle: number, offset: number, sizeBytes: number): Awaitable<Uint8Array> {
    this.#catalog.refresh();
    const found = this.#catalog.generationOfNode(handle as NodeId);
    if (found === undefined) throw new DunnageError('STALE', `the content of handle ${handle} is gone`);
    const file = this.#options.generations.load(found.id).nodes.node(handle - found.id);
    if (file?.kind !== 'file') throw new DunnageError('INVALID_ARGUMENT', `handle ${handle} is that of no file`);
    const length = Math.min(sizeBytes, Math.max(0, file.sizeBytes - offset));
    return length === 0 ? new Uint8Array() : this.#options.blobs.read(file.digest, offset, length);
  }

  write(caller: Caller, nodeId: NodeId, _handle: number, _offset: number, data: Uint8Array): number {
    this.#steps.write(this.#file(nodeId), caller);
    return data.length;
  }

  setAttributes(caller: Caller, nodeId: NodeId, request: SetAttributesRequest): AttributesReply {
    this.#steps.changeMode(this.#file(nodeId), caller, request);
    return this.getAttributes(caller, nodeId);
  }

  makeDirectory(caller: Caller, parent: NodeId, name: string): Entry {
    this.#step(parent, name, (projection, path) => this.#steps.make(projection, path, 'directory', caller));
    return this.lookup(caller, parent, name);
  }

  makeFile(caller: Caller, parent: NodeId, name: string): Entry {
    this.#step(parent, name, (projection, path) => this.#steps.make(projection, path, 'file', caller));
    return this.lookup(caller, parent, name);
  }

  unlink(caller: Caller, parent: NodeId, name: string): void {
    this.#step(parent, name, (projection, path) => this.#steps.remove(projection, path, 'file', caller));
  }

  removeDirectory(caller: Caller, parent: NodeId, name: string): void {
    this.#step(parent, name, (projection, path) => {
      this.#steps.remove(projection, path, 'directory', caller);
      const id = path === '' ? undefined : this.#nodes.findPath(projection, path, 'directory');
      if (id !== undefined) this.#nodes.markDead(id);
    });
  }

  #step(parent: NodeId, name: string, take: (projection: ProjectionId, path: string) => void): void {
    const place = this.#place(parent);
    if (place !== LIVE_ROOT) {
      take(place.projection, joinPath(place.path, name));
      return;
    }
    const projection = this.#catalog.findProjection(name);
    if (projection === undefined) throw readOnly();
    take(projection, '');
  }

  /** Throws STALE for what never was, or was forgotten. */
  #place(nodeId: NodeId): Place {
    this.#catalog.refresh();
    if (nodeId === LIVE_NODE_ID) return LIVE_ROOT;
    const id = liveIdOf(nodeId);
    const node = this.#nodes.node(id);
    if (node !== undefined) return node;
    const projection = id as ProjectionId;
    const isProjection = this.#catalog.projection(projection) !== undefined || this.#references.isKnown(id);
    if (!isProjection) throw new DunnageError('STALE', `node ${nodeId} is gone`);
    return projectionNode(projection);
  }

  #file(nodeId: NodeId): LiveNode {
    const place = this.#place(nodeId);
    if (place === LIVE_ROOT || place.kind !== 'file') throw readOnly();
    return place;
  }

  /** A path may be of another kind by now: then the node is gone. */
  #shown(node: LiveNode): Shown | undefined {
    if (node.isDead) return undefined;
    const shown = this.#view.shown(node.projection, node.path);
    return shown?.kind === node.kind ? shown : undefined;
  }

  #assign(parent: LiveNode, names: readonly Pick<ListedName, 'name' | 'kind'>[]): LiveId[] {
    const before = this.#nodes.assigned;
    const ids = this.#nodes.assign(parent, names);
    if (this.#nodes.assigned > before) this.#sweep.assigned(parent.projection, this.#nodes.assigned - before);
    return ids;
  }

  /** The positive answer of lookup, mkdir and mknod: counts a reference before it is granted. */
  #give(node: LiveNode, shown: Shown): Entry {
    const entry = this.#entry(this.#attributes(node, shown));
    this.#references.add(liveNodeId(node.id));
    return entry;
  }

  #entry(attributes: Attributes): Entry {
    return { attributes, entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
  }

  #rootAttributes(): Attributes {
    const { owner, startedAtMs } = this.#options;
    return directoryAttributes(LIVE_NODE_ID, this.#catalog.projectionCount(), startedAtMs, owner);
  }

  #attributes(node: LiveNode, shown: Shown): Attributes {
    const nodeId = liveNodeId(node.id);
    const { owner } = this.#options;
    if (shown.state === 'leaving') return this.#departedAttributes(node);
    return { ...generationAttributes(shown.generation, shown.index, owner), nodeId };
  }

  #noteDeparture(id: LiveId): void {
    const node = this.#nodes.node(id);
    const shown = node && this.#shown(node);
    if (node !== undefined && shown?.state === 'present') {
      this.#departed.set(id, this.#attributes(node, shown));
    }
  }

  /** A daemon that took over does not know what it looked like. */
  #departedAttributes({ id, kind }: LiveNode): Attributes {
    const known = this.#departed.get(id);
    if (known !== undefined) return known;
    const { owner, startedAtMs } = this.#options;
    if (kind === 'directory') return directoryAttributes(liveNodeId(id), 0, startedAtMs, owner);
    return {
      nodeId: liveNodeId(id),
      mode: constants.S_IFREG | 0o400,
      nlink: 1,
      ...owner,
      sizeBytes: 0,
      blocks: 0,
      mtime: timestamp(startedAtMs),
    };
  }
}

function typeOf(kind: LiveKind): number {
  return kind === 'file' ? constants.S_IFREG : constants.S_IFDIR;
}
