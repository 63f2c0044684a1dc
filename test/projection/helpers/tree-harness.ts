/**
 * The projections tree with a real store and no kernel: system calls "through the mount" are calls of the file system,
 * as the kernel would make them. Lookup counts are kept as the kernel keeps them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.ts';
import { type GenerationId, type NodeId, ROOT_NODE_ID } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type Metrics, silentMetrics } from '../../../src/base/metrics.ts';
import { toErrno } from '../../../src/errors/dunnage-error.ts';
import { Catalog } from '../../../src/projection/catalog.ts';
import { ProjectionHistory } from '../../../src/projection/history/projection-history.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../../src/projection/lookup-table.ts';
import type { Payload } from '../../../src/projection/payload.ts';
import { PendingGenerations } from '../../../src/projection/pending-generations.ts';
import { PENDING_SLOT_BYTES, PendingTable } from '../../../src/projection/pending-table.ts';
import type { Owner } from '../../../src/projection/projection-attributes.ts';
import {
  ProjectionService,
  type ProjectionServiceOptions,
  type WantedProjection,
} from '../../../src/projection/projection-service.ts';
import { ProjectionTree } from '../../../src/projection/projection-tree.ts';
import { Publisher } from '../../../src/projection/publisher.ts';
import { SourceService } from '../../../src/projection/sources/source-service.ts';
import { received, type StagedGeneration, type Stager } from '../../../src/projection/staged-generation.ts';
import { BlobStore } from '../../../src/store/blob-store.ts';
import { newCommitChain } from '../../../src/store/commit-chain.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import { Store } from '../../../src/store/store.ts';
import type { Caller } from '../../../src/vfs/file-system.ts';
import type { MountOperation, ThroughMount } from '../../../src/vfs/ports.ts';

export const caller: Caller = { uid: 0, gid: 0, pid: 1, resent: false, signal: undefined };
export const resent: Caller = { ...caller, resent: true };

const S_IFMT = 0o170000;

export class TreeHarness {
  readonly directory: string;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  tree!: ProjectionTree;
  service!: ProjectionService;
  sources!: SourceService;
  readonly sealingKey: SealingKey;
  /** Where a tree of its own would be mounted; nothing is there. */
  readonly mountPoint: string;
  readonly lookupMemory: ArrayBuffer = new ArrayBuffer(1024 * LOOKUP_SLOT_BYTES);
  readonly pendingMemory: ArrayBuffer = new ArrayBuffer(64 * PENDING_SLOT_BYTES);
  interrupted!: PendingTable;
  stager!: Stager;
  /** Every operation made through the mount, with its outcome. */
  readonly operations: { readonly directory: string; readonly operation: MountOperation; readonly errno: number }[] =
    [];
  /** Told by services made from then on (`restart`). */
  reactions: ProjectionServiceOptions['reactions'];
  /** Swaps that were answered before their commit. */
  decided = 0;
  readonly invalidated: string[] = [];
  readonly forgotten: GenerationId[] = [];
  /** Throw here to have the agent die before an operation. */
  beforeOperation: (operation: MountOperation) => void = () => undefined;
  metrics: Metrics = silentMetrics;
  nowMs = 1_795_000_000_123;
  readonly clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => 0 };
  #held: { readonly node: NodeId }[] = [];
  #onInvalidated: () => void = () => undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.store = Store.open({ stateDir: directory, log: silentLog, commitChain: newCommitChain() });
    this.catalog = new Catalog(this.store);
    this.mountPoint = join(directory, 'mnt');
    const sealingKey = SealingKey.loadOrCreate(join(directory, 'secret.key'));
    this.sealingKey = sealingKey;
    this.blobs = new BlobStore({ store: this.store, stateDir: directory, sealingKey, log: silentLog });
    this.restart();
  }

  static async create(): Promise<TreeHarness> {
    return new TreeHarness(await mkdtemp(join(tmpdir(), 'dunnage-tree-')));
  }

  /** A new daemon over the same store: memory is lost, the lookup table is not. */
  restart(): void {
    // Its timers would reach into a store that is closed by then.
    this.tree?.close();
    const queue: StagedGeneration[] = [];
    const lookups = new LookupTable(this.lookupMemory);
    const { store, catalog, blobs, clock } = this;
    const publisher = new Publisher({ store, catalog, blobs, clock });
    this.interrupted = new PendingTable(this.pendingMemory);
    const tree = new ProjectionTree({
      catalog,
      blobs,
      publisher,
      lookups,
      pending: new PendingGenerations({ table: this.interrupted, lookups, receive: () => queue.shift() }),
      kernelCache: {
        invalidateEntry: (_parent, name) => {
          this.invalidated.push(name);
          this.#onInvalidated();
        },
        invalidateNode: (node) => this.invalidated.push(String(node)),
      },
      clock,
      owner: { uid: 0, gid: 0 },
      graceMs: 0,
      storeSizeBytes: () => 4096,
      onForgotten: (id) => this.forgotten.push(id),
    });
    this.tree = tree;
    this.stager = {
      async stage(generation) {
        queue.push(received(structuredClone(generation)));
      },
      abort: (id) => Promise.resolve(tree.abort(id)),
      finishAbort: (id) => tree.finishAbort(id),
    };
    this.service = new ProjectionService({
      catalog: this.catalog,
      blobs: this.blobs,
      throughMount: this.throughMount,
      clock: this.clock,
      log: silentLog,
      ...(this.reactions === undefined ? {} : { reactions: this.reactions }),
      stager: this.stager,
      publisher,
      interrupted: this.interrupted,
      onDropped: (ids) => tree.dropped(ids),
      onChanged: (changed) => sources.changed(changed),
    });
    const sources = this.#makeSources();
    this.sources = sources;
  }

  #makeSources(): SourceService {
    const { store, catalog, blobs, sealingKey, mountPoint, metrics } = this;
    const clock = { ...this.clock, monotonicMs: () => performance.now() };
    const write = this.service.write.bind(this.service);
    return new SourceService({ store, catalog, blobs, sealingKey, clock, log: silentLog, metrics, mountPoint, write });
  }

  history(owner: Owner = { uid: 0, gid: 0 }): ProjectionHistory {
    const { catalog, blobs, service: projections } = this;
    return new ProjectionHistory({ catalog, blobs, projections, owner, onDropped: (ids) => this.tree.dropped(ids) });
  }

  /** What a daemon does at its start that takes over from another. */
  resume(): void {
    this.tree.resume(this.interrupted.entries());
  }

  async close(): Promise<void> {
    await this.sources.close();
    this.tree.close();
    await this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  readonly throughMount: ThroughMount = {
    run: async (directory, operations) => {
      const outcomes: number[] = [];
      for (const operation of operations) {
        this.beforeOperation(operation);
        const errno = await this.#attempt(directory, operation);
        this.operations.push({ directory, operation, errno });
        outcomes.push(errno);
        if (errno !== 0) break;
      }
      return outcomes;
    },
  };

  async #attempt(directory: string, operation: MountOperation): Promise<number> {
    try {
      const parent = directory === '' ? ROOT_NODE_ID : this.lookup(ROOT_NODE_ID, directory);
      if (parent === undefined) return constants.errno.ENOENT;
      // The kernel looks the name up first, and asks for the operation only if it can be made.
      const makes = operation.kind === 'mkdir' || operation.kind === 'symlink';
      const isThere = this.lookup(parent, operation.name) !== undefined;
      if (makes === isThere) return isThere ? constants.errno.EEXIST : constants.errno.ENOENT;
      await this.#apply(parent, operation);
      return 0;
    } catch (error) {
      return toErrno(error);
    }
  }

  async #apply(parent: NodeId, operation: MountOperation): Promise<void> {
    switch (operation.kind) {
      case 'mkdir':
        this.#hold(this.tree.makeDirectory(caller, parent, operation.name).attributes?.nodeId);
        return;
      case 'symlink':
        this.#hold(this.tree.makeSymlink(caller, parent, operation.name, operation.target).attributes?.nodeId);
        return;
      case 'rename':
        return this.tree.rename(caller, parent, operation.name, parent, operation.newName, 0, () => {
          this.decided += 1;
        });
      case 'unlink':
        return this.tree.unlink(caller, parent, operation.name);
      case 'rmdir':
        return this.tree.removeDirectory(caller, parent, operation.name);
    }
  }

  #hold(node: NodeId | undefined): void {
    if (node !== undefined) this.#held.push({ node });
  }

  lookup(parent: NodeId, name: string): NodeId | undefined {
    const node = this.tree.lookup(caller, parent, name).attributes?.nodeId;
    this.#hold(node);
    return node;
  }

  /** The kernel forgets everything it looked up. */
  forgetAll(): void {
    for (const { node } of this.#held.splice(0)) this.tree.forget(node, 1);
  }

  list(node: NodeId): string[] {
    return [...this.tree.readDirectory(caller, node, 0, 0)].map((entry) => entry.name);
  }

  /** Resolves when the grace period of a replaced generation is over, and what follows at once was done. */
  async graceOver(): Promise<void> {
    // The timer of the grace period does not keep a process alive; this one does.
    const alive = setInterval(() => undefined, 1_000);
    if (this.invalidated.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onInvalidated = resolve;
      });
    }
    clearInterval(alive);
    await new Promise(setImmediate);
  }

  /** Walks a path, following links, as the kernel does. */
  resolve(path: string, from: NodeId = ROOT_NODE_ID, depth = 0): NodeId | undefined {
    let at: NodeId | undefined = from;
    for (const name of path.split('/')) {
      if (at === undefined || depth > 10) return undefined;
      const parent: NodeId = at;
      at = this.lookup(parent, name);
      if (at === undefined) return undefined;
      const { mode } = this.tree.getAttributes(caller, at).attributes;
      if ((mode & S_IFMT) === 0o120000) at = this.resolve(this.tree.readLink(caller, at), parent, depth + 1);
    }
    return at;
  }

  async readFile(path: string): Promise<string | undefined> {
    const node = this.resolve(path);
    if (node === undefined) return undefined;
    return Buffer.from(await this.tree.read(caller, node, 0, 0, 1 << 20)).toString();
  }
}

export function payload(files: Readonly<Record<string, string>>, mode = 0o644): Payload {
  return new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));
}

export function wanted(
  name: string,
  files: Readonly<Record<string, string>>,
  more: Partial<WantedProjection> = {},
): WantedProjection {
  return {
    directory: name,
    kind: 'Projection',
    namespace: 'default',
    name,
    immutable: false,
    secret: false,
    keep: 1,
    payload: payload(files),
    ...more,
  };
}
