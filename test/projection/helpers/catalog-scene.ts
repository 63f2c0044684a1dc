/** A catalog over a real store, with what the daemon would stage in it; no tree and no kernel. */
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { GenerationId, ProjectionId } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Catalog, type NewProjection } from '../../../src/projection/catalog.ts';
import { buildNodes, type FileContent } from '../../../src/projection/generation-nodes.ts';
import { BlobStore, type Protection } from '../../../src/store/blob-store.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import type { Store } from '../../../src/store/store.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';

export const CREATED_AT_MS = 1_795_000_000_000;

export class CatalogScene {
  readonly stateDir: string;
  readonly store: Store;
  readonly catalog: Catalog;
  blobs: BlobStore;
  /** Of what is staged. */
  protection: Protection = 'plain';
  /** Modes of what is staged, where they are not 0644. */
  readonly modes: Map<string, number> = new Map();
  #staged = 0;

  constructor(t: TestContext) {
    this.stateDir = makeStateDirectory(t);
    this.store = openStore(t, this.stateDir);
    this.catalog = new Catalog(this.store);
    const sealingKey = SealingKey.fromBytes(randomBytes(32));
    this.blobs = new BlobStore({ store: this.store, stateDir: this.stateDir, sealingKey, log: silentLog });
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

  /** Stages a generation with a directory name that was never used. */
  async stage(projection: ProjectionId, files: Readonly<Record<string, string>>): Promise<GenerationId> {
    const { catalog, blobs } = this;
    const contents = new Map<string, FileContent>();
    const prepared = [];
    for (const [path, text] of Object.entries(files)) {
      const blob = await blobs.prepare(Buffer.from(text), this.protection);
      prepared.push(blob);
      const { digest, sizeBytes } = blob;
      const mode = this.modes.get(path) ?? 0o644;
      contents.set(path, { mode, uid: undefined, gid: undefined, sizeBytes, digest });
    }
    this.#staged += 1;
    const directory = `..2026_11_18_00_00_00.${this.#staged}`;
    const content = buildNodes(contents);
    return catalog.stage(
      { projection, directory, content, blobs: prepared, changesNames: true, nowMs: CREATED_AT_MS + this.#staged },
      blobs,
    );
  }

  /** Stages, publishes and announces, as a whole write does. */
  async write(projection: ProjectionId, files: Readonly<Record<string, string>>): Promise<GenerationId> {
    const { catalog } = this;
    const id = await this.stage(projection, files);
    await catalog.publish(id, CREATED_AT_MS);
    const wanted = new Set(Object.keys(files).map((path) => path.split('/')[0] as string));
    const stale = [...catalog.links(projection)].map((link) => link.name).filter((name) => !wanted.has(name));
    catalog.settle(projection, [...wanted], stale);
    return id;
  }

  linkNames(projection: ProjectionId): string[] {
    return [...this.catalog.links(projection)].map(({ name, visible }) => (visible ? name : `(${name})`)).sort();
  }
}
