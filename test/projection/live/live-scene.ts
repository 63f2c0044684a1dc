/** The live view over a real store, without a kernel: the test asks what a kernel would ask, and keeps count as it does. */
import { constants } from 'node:fs';
import type { TestContext } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../../src/base/ids.ts';
import { LiveAnnouncements } from '../../../src/projection/live/live-announcements.ts';
import { LIVE_NODE_ID } from '../../../src/projection/live/live-ids.ts';
import { type LiveOpen, LiveTree } from '../../../src/projection/live/live-tree.ts';
import type { GenerationSource } from '../../../src/projection/live/live-view.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../../src/projection/lookup-table.ts';
import type { GenerationRecord } from '../../../src/projection/records.ts';
import type { Attributes, Caller } from '../../../src/vfs/file-system.ts';
import type { MountOperation } from '../../../src/vfs/ports.ts';
import { CatalogScene, CREATED_AT_MS } from '../helpers/catalog-scene.ts';

export const caller: Caller = { uid: 7, gid: 8, pid: 9, resent: false, signal: undefined };
export const resent: Caller = { ...caller, resent: true };

export class LiveScene extends CatalogScene {
  tree!: LiveTree;
  lookups!: LookupTable;
  generations!: GenerationSource;
  readonly announcements: LiveAnnouncements;
  readonly pruned: NodeId[] = [];
  readonly opened: LiveOpen[] = [];
  readonly #memory = new ArrayBuffer(4096 * LOOKUP_SLOT_BYTES);

  constructor(t: TestContext) {
    super(t);
    this.announcements = new LiveAnnouncements(this.store);
    this.restart();
    this.tree.reset();
  }

  /** Another daemon takes over: memory is lost, what the holder keeps is not. */
  restart(): void {
    const { catalog, store, blobs } = this;
    const lookups = new LookupTable(this.#memory);
    this.lookups = lookups;
    this.generations = {
      load: (id) => ({
        id,
        ...(this.pending.load(id) ?? { record: catalog.generation(id) as GenerationRecord, nodes: catalog.nodes(id) }),
      }),
      hold: (id) => lookups.add(id),
      release: (id) => void lookups.subtract(id, 1),
    };
    this.tree = new LiveTree({
      ...{ catalog, store, blobs, lookups, generations: this.generations },
      owner: { uid: 1, gid: 2 },
      startedAtMs: CREATED_AT_MS,
      prune: (nodes) => this.pruned.push(...nodes),
      onOpen: (_caller, event) => this.opened.push(event),
    });
  }

  override rebooted(): void {
    super.rebooted();
    this.restart();
  }

  /** A swap as the projections tree makes it. */
  override async write(projection: ProjectionId, files: Readonly<Record<string, string>>): Promise<GenerationId> {
    const id = await this.stage(projection, files);
    this.catalog.refresh();
    this.tree.publications.begin(projection, id);
    this.publish(id);
    this.tree.publications.published(projection);
    this.catalog.settle(projection, [], []);
    return id;
  }

  /** Looks up each part, as a path walk does; the reference of each is the caller's to forget. */
  walk(path: string): NodeId | undefined {
    let node: NodeId | undefined = LIVE_NODE_ID;
    for (const name of path.split('/')) {
      node = this.tree.lookup(caller, node, name).attributes?.nodeId;
      if (node === undefined) return undefined;
    }
    return node;
  }

  node(path: string): NodeId {
    const node = this.walk(path);
    if (node === undefined) throw new Error(`${path} is not shown`);
    return node;
  }

  attributes(node: NodeId): Attributes {
    return this.tree.getAttributes(caller, node).attributes;
  }

  open(node: NodeId): number {
    return this.tree.open(caller, node, constants.O_RDONLY).handle;
  }

  async read(node: NodeId, handle: number): Promise<string> {
    return Buffer.from(await this.tree.read(caller, node, handle, 0, 65_536)).toString();
  }

  async readPath(path: string): Promise<string> {
    const node = this.node(path);
    return await this.read(node, this.open(node));
  }

  names(path: string): string[] {
    const node = path === '' ? LIVE_NODE_ID : this.node(path);
    return [...this.tree.readDirectory(caller, node, 0, 0)].map(({ name }) => name).sort();
  }

  /** The steps that wait, as `directory: kind name`. */
  steps(projection: ProjectionId): string[] {
    const pending = this.announcements.newest(projection);
    return (pending?.plan.batches(pending.directory) ?? []).flatMap(({ directory, operations }) =>
      operations.map(({ kind, name }) => `${directory}: ${kind} ${name}`),
    );
  }

  /** Carries out what waits, as the agent does through the kernel. */
  tell(projection: ProjectionId): void {
    const pending = this.announcements.newest(projection);
    for (const { directory, operations } of pending?.plan.batches(pending.directory) ?? []) {
      const parent = directory === 'live' ? LIVE_NODE_ID : this.node(directory.slice('live/'.length));
      for (const operation of operations) this.make(parent, operation);
    }
  }

  make(parent: NodeId, operation: MountOperation, by: Caller = caller): void {
    const { tree } = this;
    const { name } = operation;
    const child = (): NodeId => tree.lookup(by, parent, name).attributes?.nodeId as NodeId;
    switch (operation.kind) {
      case 'mkdir':
        tree.makeDirectory(by, parent, name);
        return;
      case 'mknod':
        tree.makeFile(by, parent, name);
        return;
      case 'unlink':
        tree.unlink(by, parent, name);
        return;
      case 'rmdir':
        tree.removeDirectory(by, parent, name);
        return;
      case 'modify': {
        const node = child();
        const { handle } = tree.open(by, node, constants.O_WRONLY);
        tree.write(by, node, handle, 0, new Uint8Array(1));
        tree.release(node, handle, false);
        return;
      }
      case 'chmod':
        tree.setAttributes(by, child(), { mode: operation.mode });
        return;
      default:
        throw new Error(`the live view is told nothing by ${operation.kind}`);
    }
  }
}
