/** A catalog over a real store, with what the daemon would stage in it; no tree and no kernel. */
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Catalog, type NewProjection, type Publication } from '../../../src/projection/catalog.ts';
import {
  buildNodes,
  contentNodesCodec,
  DIRECTORY_INDEX,
  type FileContent,
  nodeCount,
} from '../../../src/projection/generation-nodes.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../../src/projection/lookup-table.ts';
import { topLevelNames } from '../../../src/projection/path-rules.ts';
import { PendingGenerations } from '../../../src/projection/pending-generations.ts';
import { PENDING_SLOT_BYTES, PendingTable } from '../../../src/projection/pending-table.ts';
import { Publisher } from '../../../src/projection/publisher.ts';
import type { StagedGeneration } from '../../../src/projection/staged-generation.ts';
import { BlobStore, type Protection } from '../../../src/store/blob-store.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import type { Store } from '../../../src/store/store.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';

export const CREATED_AT_MS = 1_795_000_000_000;

export interface CatalogSceneOptions {
  /** Publications may be durable by their records. */
  readonly commitChain?: BigInt64Array;
  /** Of Secrets. */
  readonly key?: Uint8Array;
  /** What another scene has left; otherwise one of its own. */
  readonly stateDir?: string;
}

export class CatalogScene {
  readonly stateDir: string;
  readonly store: Store;
  readonly catalog: Catalog;
  blobs: BlobStore;
  /** Of what is staged. */
  protection: Protection = 'plain';
  /** Modes of what is staged, where they are not 0644. */
  readonly modes: Map<string, number> = new Map();
  readonly references: LookupTable = new LookupTable(new ArrayBuffer(64 * LOOKUP_SLOT_BYTES));
  readonly interrupted: PendingTable = new PendingTable(new ArrayBuffer(16 * PENDING_SLOT_BYTES));
  readonly pending: PendingGenerations;
  /** Everything that was staged. */
  readonly staged: Map<GenerationId, StagedGeneration> = new Map();
  readonly #queue: StagedGeneration[] = [];
  #staged = 0;

  constructor(t: TestContext, { commitChain, key = randomBytes(32), stateDir }: CatalogSceneOptions = {}) {
    this.stateDir = stateDir ?? makeStateDirectory(t);
    this.store = openStore(t, this.stateDir, commitChain && { commitChain });
    this.catalog = new Catalog(this.store);
    const sealingKey = SealingKey.fromBytes(key);
    this.blobs = new BlobStore({ store: this.store, stateDir: this.stateDir, sealingKey, log: silentLog });
    this.pending = new PendingGenerations({
      table: this.interrupted,
      lookups: this.references,
      receive: () => this.#queue.shift(),
    });
  }

  /** The key of Secrets is another one. */
  rebooted(): void {
    const sealingKey = SealingKey.fromBytes(randomBytes(32));
    this.blobs = new BlobStore({ store: this.store, stateDir: this.stateDir, sealingKey, log: silentLog });
  }

  create(directory: string, more: Partial<NewProjection> = {}): ProjectionId {
    const { catalog } = this;
    const named = {
      directory,
      kind: 'Projection',
      namespace: 'default',
      name: directory,
      immutable: false,
      keep: 1,
    } as const;
    return catalog.create({ ...named, nowMs: CREATED_AT_MS, ...more });
  }

  /** Stages a generation with a directory name that was never used, as the main thread does for the one that serves. */
  async stage(
    projection: ProjectionId,
    files: Readonly<Record<string, string>>,
    more: Partial<StagedGeneration> = {},
  ): Promise<GenerationId> {
    const staged = { ...(await this.#generation(projection, files)), ...more };
    this.staged.set(staged.id, staged);
    this.#queue.push(staged);
    this.pending.named(projection, staged.directory);
    if (!staged.isStored) return staged.id;
    const stored = { ...staged, blobs: [] };
    this.staged.set(staged.id, stored);
    this.catalog.store(stored, staged.blobs, this.blobs);
    return staged.id;
  }

  async #generation(projection: ProjectionId, files: Readonly<Record<string, string>>): Promise<StagedGeneration> {
    const contents = new Map<string, FileContent>();
    const blobs = [];
    for (const [path, text] of Object.entries(files)) {
      const blob = await this.blobs.prepare(Buffer.from(text), this.protection);
      blobs.push(blob);
      const { digest, sizeBytes } = blob;
      const mode = this.modes.get(path) ?? 0o644;
      contents.set(path, { mode, uid: undefined, gid: undefined, sizeBytes, digest });
    }
    this.#staged += 1;
    const content = buildNodes(contents);
    const names = [...topLevelNames(contents.keys())];
    const nodes = nodeCount(content);
    const id = this.catalog.reserveNodes(nodes + names.length) as number as GenerationId;
    return {
      ...{
        id,
        projection,
        nodes,
        blobs,
        isStored: false,
        audited: this.catalog.projection(projection)?.audited === true,
        changesNames: true,
        files: contents.size,
      },
      directory: `..2026_11_18_00_00_00.${this.#staged}`,
      directories: content.filter((node) => node.kind === 'directory' && node.parent === DIRECTORY_INDEX).length,
      content: contentNodesCodec.encode(content),
      sizeBytes: blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0),
      createdAtMs: CREATED_AT_MS + this.#staged,
      links: names.map((name, index) => ({ name, node: (id + nodes + index) as NodeId })),
    };
  }

  publisher(nowMs: number = CREATED_AT_MS): Publisher {
    const { store, catalog, blobs } = this;
    return new Publisher({ store, catalog, blobs, clock: { nowMs: () => nowMs, monotonicMs: () => 0 } });
  }

  /** The commit of its swap; the caller does not wait for the flush. */
  publish(id: GenerationId, nowMs: number = CREATED_AT_MS): Publication {
    const staged = this.staged.get(id);
    if (staged === undefined) throw new Error(`${id} was not staged here`);
    const publication = this.catalog.publish(staged, this.blobs, nowMs);
    this.pending.published(id);
    for (const blob of staged.blobs) this.blobs.abandon(blob);
    return publication;
  }

  /** The same as the thread that serves does it: nobody is told before `durable` resolves. */
  publishRecorded(id: GenerationId): { readonly value: Publication; readonly durable: Promise<void> } {
    const staged = this.staged.get(id);
    if (staged === undefined) throw new Error(`${id} was not staged here`);
    const published = this.publisher().publish(staged);
    this.pending.published(id);
    for (const blob of staged.blobs) this.blobs.abandon(blob);
    return published;
  }

  /** Stages, publishes and announces, as a whole write does. */
  async write(projection: ProjectionId, files: Readonly<Record<string, string>>): Promise<GenerationId> {
    const { catalog } = this;
    const id = await this.stage(projection, files);
    this.publish(id);
    const wanted = new Set(Object.keys(files).map((path) => path.split('/')[0] as string));
    const stale = [...catalog.links(projection)].map((link) => link.name).filter((name) => !wanted.has(name));
    catalog.settle(projection, [...wanted], stale);
    return id;
  }

  linkNames(projection: ProjectionId): string[] {
    return [...this.catalog.links(projection)].map(({ name, visible }) => (visible ? name : `(${name})`)).sort();
  }
}
