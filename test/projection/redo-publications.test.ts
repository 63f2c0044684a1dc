import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { Catalog } from '../../src/projection/catalog.ts';
import type { Publisher } from '../../src/projection/publisher.ts';
import { redoPublications } from '../../src/projection/redo-publications.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { BlobStore, type Protection } from '../../src/store/blob-store.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { SealingKey } from '../../src/store/sealing-key.ts';
import { Store } from '../../src/store/store.ts';
import { copyState, makeStateDirectory, openStore } from '../store/state-directory.ts';
import { CatalogScene, CREATED_AT_MS } from './helpers/catalog-scene.ts';

const AFTER = 'after000-0000-0000-0000-000000000000';
const KEY = randomBytes(32);
const LARGE = 'large '.repeat(60_000);

/** What a power failure leaves of a scene: the data as of the last flush, and every record. */
class Power {
  readonly #t: TestContext;
  readonly #scene: CatalogScene;
  #data: Buffer = Buffer.alloc(0);

  constructor(t: TestContext, scene: CatalogScene) {
    this.#t = t;
    this.#scene = scene;
  }

  async flushed(): Promise<void> {
    await this.#scene.store.flush();
    this.#data = readFileSync(join(this.#scene.stateDir, 'metadata', 'data.mdb'));
  }

  /** The scene after the restart of the host, with its own key. */
  fail(key = KEY): { catalog: Catalog; blobs: BlobStore } {
    const recovered = join(makeStateDirectory(this.#t), 'recovered');
    cpSync(this.#scene.stateDir, recovered, { recursive: true });
    writeFileSync(join(recovered, 'metadata', 'data.mdb'), this.#data);
    const sealingKey = SealingKey.fromBytes(key);
    const redo = redoPublications({ stateDir: recovered, sealingKey, log: silentLog });
    const store = openStore(this.#t, recovered, { bootId: AFTER, redo });
    const blobs = new BlobStore({ store, stateDir: recovered, sealingKey, log: silentLog });
    this.#t.after(() => blobs.close());
    return { catalog: new Catalog(store), blobs };
  }
}

interface Swap {
  readonly scene: CatalogScene;
  readonly id: ProjectionId;
  readonly power: Power;
}

async function begin(t: TestContext, protection: Protection): Promise<Swap> {
  const scene = new CatalogScene(t, { commitChain: newCommitChain(), key: KEY });
  scene.protection = protection;
  const power = new Power(t, scene);
  const id = scene.create('web', { keep: 2 });
  await scene.write(id, { a: 'a0', b: 'same', large: LARGE });
  await power.flushed();
  return { scene, id, power };
}

/** As the FUSE thread publishes; resolves when rename(2) would be answered. */
async function swap({ scene, id }: Swap, files: Readonly<Record<string, string>>): Promise<GenerationId> {
  const generation = await scene.stage(id, files, { changesNames: false, links: [] });
  await scene.publishRecorded(generation).durable;
  return generation;
}

async function textOf({ catalog, blobs }: { catalog: Catalog; blobs: BlobStore }, id: GenerationId): Promise<object> {
  const files: Record<string, string> = {};
  for (const { path, file } of catalog.nodes(id).files()) {
    files[path] = Buffer.from(await blobs.read(file.digest, 0, file.sizeBytes)).toString();
  }
  return files;
}

for (const protection of ['plain', 'secret'] as const) {
  test(`swaps that were answered are there after a power failure, content and history (${protection})`, async (t) => {
    const scene = await begin(t, protection);
    const { catalog } = scene.scene;
    await swap(scene, { a: 'a1', b: 'same', large: LARGE });
    const second = await swap(scene, { a: 'a2', b: 'same', large: `${LARGE}!` });
    const third = await swap(scene, { a: 'a1', b: 'same', large: LARGE });
    const expected = catalog.projection(scene.id);
    assert.equal(expected?.number, 4);
    const after = scene.power.fail();
    assert.deepEqual(after.catalog.projection(scene.id), expected);
    assert.deepEqual([...after.catalog.allDropped()], [...catalog.allDropped()]);
    assert.deepEqual(await textOf(after, third), { a: 'a1', b: 'same', large: LARGE });
    assert.deepEqual(await textOf(after, second), { a: 'a2', b: 'same', large: `${LARGE}!` });
    assert.deepEqual(after.blobs.statistics(), scene.scene.blobs.statistics(), 'as many references');
    // What the records have brought back is durable itself, and goes as anything else does.
    after.catalog.remove([...after.catalog.allDropped()], after.blobs);
    await after.blobs.sweep();
    assert.deepEqual(await textOf(after, third), { a: 'a1', b: 'same', large: LARGE });
  });
}

test('a secret whose key went with the power is awaited, not read with another key', async (t) => {
  const scene = await begin(t, 'secret');
  const generation = await swap(scene, { a: 'a1', b: 'same', large: LARGE });
  const after = scene.power.fail(randomBytes(32));
  assert.equal(after.catalog.projection(scene.id)?.generation, generation);
  for (const { file } of after.catalog.nodes(generation).files()) {
    assert(after.blobs.isSealedAway(file.digest));
    assert.throws(() => after.blobs.read(file.digest, 0, 1), { code: 'AWAITING_SOURCE' });
  }
});

test('a publication that fails leaves no record behind', async (t) => {
  const scene = await begin(t, 'plain');
  const { catalog } = scene.scene;
  const generation = await scene.scene.stage(scene.id, { a: 'a1' }, { projection: 9_999 as ProjectionId });
  assert.throws(() => scene.scene.publishRecorded(generation), { code: 'NOT_FOUND' });
  await scene.scene.store.recordsSettled();
  const after = scene.power.fail();
  assert.deepEqual(after.catalog.projection(scene.id), catalog.projection(scene.id));
  assert.equal(after.catalog.projection(scene.id)?.createdAtMs, CREATED_AT_MS);
});

/** A swap whose record is on disk before its commit. */
async function expected(
  { scene, id }: Swap,
  files: Readonly<Record<string, string>>,
): Promise<{ readonly generation: StagedGeneration; readonly publisher: Publisher }> {
  const staged = scene.staged.get(await scene.stage(id, files, { changesNames: false, links: [] }));
  assert(staged !== undefined);
  const publisher = scene.publisher();
  const generation = publisher.reserve(staged);
  publisher.expect(generation);
  await scene.store.recordsSettled();
  return { generation, publisher };
}

test('power that fails before a swap that was begun ahead was answered publishes it or not, and never twice', async (t) => {
  const scene = await begin(t, 'plain');
  const { catalog, store, blobs } = scene.scene;
  const { generation, publisher } = await expected(scene, { a: 'a1', b: 'same' });
  assert.equal(scene.power.fail().catalog.projection(scene.id)?.generation, generation.id);
  // Something comes between: there are two records now.
  store.transactExpendable(() => undefined);
  await publisher.publish(generation).durable;
  const after = scene.power.fail();
  assert.deepEqual(after.catalog.projection(scene.id), catalog.projection(scene.id));
  assert.deepEqual(after.blobs.statistics(), blobs.statistics(), 'as many references');
});

test('what was given up is not published by a power failure', async (t) => {
  const scene = await begin(t, 'plain');
  const { generation, publisher } = await expected(scene, { a: 'a1', b: 'same' });
  await publisher.giveUp(generation);
  assert.notEqual(scene.power.fail().catalog.projection(scene.id)?.generation, generation.id);
});

for (const isDecided of [true, false]) {
  const outcome = isDecided
    ? 'announced, is published by whoever opens the store next'
    : 'not announced, is not published';
  test(`what a daemon that died before the commit had ${outcome}`, async (t) => {
    const scene = await begin(t, 'secret');
    const { generation, publisher } = await expected(scene, { a: 'a1', 'dir/b': 'b1' });
    let died: string | undefined = isDecided ? undefined : copyState(scene.scene.stateDir);
    publisher.publish(generation, () => {
      died ??= copyState(scene.scene.stateDir);
    });
    assert(died !== undefined, 'it was decided');
    const sealingKey = SealingKey.fromBytes(KEY);
    const redo = redoPublications({ stateDir: died, sealingKey, log: silentLog });
    for (let start = 1; start <= 2; start += 1) {
      const store = Store.open({ stateDir: died, log: silentLog, redo, commitChain: newCommitChain() });
      const catalog = new Catalog(store);
      const blobs: BlobStore = new BlobStore({ store, stateDir: died, sealingKey, log: silentLog });
      assert.equal(catalog.wasPublished(generation.id), isDecided);
      assert.equal(catalog.projection(scene.id)?.number, isDecided ? 2 : 1);
      if (isDecided) assert.deepEqual(await textOf({ catalog, blobs }, generation.id), { a: 'a1', 'dir/b': 'b1' });
      await blobs.close();
      await store.close();
    }
  });
}
