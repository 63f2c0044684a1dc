/**
 * The unpublished generations of the thread that serves the mount: what their names and nodes mean until the store knows.
 *
 *   waiting [--decide--> decided] --publish--> published (gone from here)
 *   waiting --abort--> aborted --finish--> nameless, until the kernel has forgotten its nodes
 *
 * A generation that an earlier daemon left in the table is aborted from the start, and empty: its content is lost.
 */
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import type { PreparedBlob } from '../store/blob-store.ts';
import type { Digest } from '../store/digest.ts';
import { contentNodesCodec, GenerationNodes } from './generation-nodes.ts';
import type { LookupTable } from './lookup-table.ts';
import type { PendingName, PendingTable } from './pending-table.ts';
import type { GenerationRecord } from './records.ts';
import { recordOf, type StagedGeneration } from './staged-generation.ts';

export interface PendingOptions {
  readonly table: PendingTable;
  readonly lookups: LookupTable;
  /** The next generation that the main thread has staged; undefined if there is none. */
  readonly receive: () => StagedGeneration | undefined;
}

interface Pending {
  readonly staged: StagedGeneration;
  state: 'waiting' | 'decided' | 'aborted' | 'nameless';
}

export class PendingGenerations {
  readonly #options: PendingOptions;
  readonly #byId = new Map<GenerationId, Pending>();

  constructor(options: PendingOptions) {
    this.#options = options;
  }

  /** The generation that waits to be published under that directory name. */
  waiting(projection: ProjectionId, directory: string): StagedGeneration | undefined {
    const found = this.#named(projection, directory);
    return found?.state === 'waiting' ? found.staged : undefined;
  }

  isWaiting(id: GenerationId): boolean {
    return this.#byId.get(id)?.state === 'waiting';
  }

  isAborted(id: GenerationId): boolean {
    return this.#byId.get(id)?.state === 'aborted';
  }

  staged(id: GenerationId): StagedGeneration | undefined {
    return this.#byId.get(id)?.staged;
  }

  /** The generation of that directory name, as long as its names mean something. */
  named(projection: ProjectionId, directory: string): GenerationId | undefined {
    const found = this.#named(projection, directory);
    return found === undefined || found.state === 'nameless' ? undefined : found.staged.id;
  }

  #named(projection: ProjectionId, directory: string): Pending | undefined {
    this.#receive();
    for (const pending of this.#byId.values()) {
      const { staged } = pending;
      if (staged.projection === projection && staged.directory === directory) return pending;
    }
    return undefined;
  }

  #receive(): void {
    for (let staged = this.#options.receive(); staged !== undefined; staged = this.#options.receive()) {
      this.#byId.set(staged.id, { staged, state: 'waiting' });
    }
  }

  /** The generation that a node belongs to. */
  ofNode(node: NodeId): GenerationId | undefined {
    for (const [id, { staged }] of this.#byId) if (node >= id && node < id + staged.nodes) return id;
    return undefined;
  }

  /** Record and nodes as the store would have them. */
  load(id: GenerationId): { readonly record: GenerationRecord; readonly nodes: GenerationNodes } | undefined {
    const staged = this.#byId.get(id)?.staged;
    if (staged === undefined) return undefined;
    return {
      record: recordOf(staged, 0),
      nodes: new GenerationNodes(id, contentNodesCodec.decode(staged.content)),
    };
  }

  /** Content that is not in the store yet. */
  blob(id: GenerationId, digest: Digest): PreparedBlob | undefined {
    return this.#byId.get(id)?.staged.blobs.find((blob) => digest.equals(blob.digest));
  }

  /** The kernel is about to know the directory of a waiting generation. */
  made(id: GenerationId): void {
    const staged = this.#byId.get(id)?.staged;
    if (staged !== undefined) this.#options.table.add(staged);
  }

  /** A takeover: names that the daemon before left in the kernel. */
  lost({ id, projection, nodes, directory }: PendingName): void {
    const nothing = {
      content: new Uint8Array(),
      directories: 0,
      files: 0,
      sizeBytes: 0,
      createdAtMs: 0,
      blobs: [],
      links: [],
    };
    const staged = {
      id,
      projection,
      directory,
      nodes,
      ...nothing,
      changesNames: false,
      isStored: false,
      audited: false,
    };
    this.#byId.set(id, { staged, state: 'aborted' });
  }

  /**
   * The kernel is about to be told that it is published. Its names need no daemon that removes them any more, also if this one dies before the commit: then the
   * next one makes it (`Store.open`). Whoever takes the writer's turn after the commit finds no trace of it in the table.
   */
  decided(id: GenerationId): void {
    const pending = this.#byId.get(id);
    if (pending === undefined) return;
    pending.state = 'decided';
    this.#options.table.remove(id);
  }

  published(id: GenerationId): void {
    this.#byId.delete(id);
    this.#options.table.remove(id);
  }

  /** False if it was published before, or that is decided; true as well if it was never known, or is aborted already. */
  abort(id: GenerationId, isPublished: boolean): boolean {
    this.#receive();
    const pending = this.#byId.get(id);
    if (pending === undefined) return !isPublished;
    if (pending.state === 'decided') return false;
    if (pending.state === 'waiting') pending.state = 'aborted';
    return true;
  }

  /** The names of an aborted generation are gone; its nodes stay for as long as the kernel has one. */
  finish(id: GenerationId): void {
    const pending = this.#byId.get(id);
    if (pending === undefined) return;
    pending.state = 'nameless';
    this.#options.table.remove(id);
    this.check(id);
  }

  /** To be called when the lookup count of a generation has become zero. */
  check(id: GenerationId): void {
    if (this.#byId.get(id)?.state === 'nameless' && this.#options.lookups.count(id) === 0) this.#byId.delete(id);
  }
}
