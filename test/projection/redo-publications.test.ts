import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { Catalog } from '../../src/projection/catalog.ts';
import type { PendingName } from '../../src/projection/pending-table.ts';
import { publishDecided, redoPublications } from '../../src/projection/redo-publications.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { BlobStore, type Protection } from '../../src/store/blob-store.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { SealingKey } from '../../src/store/sealing-key.ts';
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

test('power that fails before a swap that was begun ahead was answered publishes it or not, and never twice', async (t) => {
  const scene = await begin(t, 'plain');
  const { scene: catalogScene, id } = scene;
  const generation = await catalogScene.stage(id, { a: 'a1', b: 'same' }, { changesNames: false, links: [] });
  const publisher = catalogScene.publisher();
  publisher.expect(catalogScene.staged.get(generation) as StagedGeneration);
  await publisher.settled();
  assert.equal(scene.power.fail().catalog.projection(id)?.generation, generation);
  // Something comes between: there are two records now.
  catalogScene.store.transactExpendable(() => undefined);
  await catalogScene.publishRecorded(generation).durable;
  const after = scene.power.fail();
  assert.deepEqual(after.catalog.projection(id), catalogScene.catalog.projection(id));
  assert.deepEqual(after.blobs.statistics(), catalogScene.blobs.statistics(), 'as many references');
});

/** A daemon that died after it had told the kernel, and before the commit: what is on disk, and what it left in the pending table. */
async function diedDecided(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<{ readonly next: CatalogScene; readonly id: ProjectionId; readonly name: PendingName }> {
  const scene = new CatalogScene(t, { commitChain: newCommitChain(), key: KEY });
  const id = scene.create('web');
  await scene.write(id, { a: 'a0' });
  await scene.store.flush();
  const generation = await scene.stage(id, files, { changesNames: false, links: [] });
  const staged = scene.staged.get(generation) as StagedGeneration;
  const publisher = scene.publisher();
  publisher.expect(staged);
  await publisher.settled();
  let died: { readonly copy: string; readonly record: number } | undefined;
  publisher.publish(staged, (record) => {
    died = { copy: copyState(scene.stateDir), record: Number(record) };
  });
  assert(died !== undefined, 'it was decided');
  const next = new CatalogScene(t, { stateDir: died.copy, key: KEY });
  const { nodes, directory } = staged;
  return { next, id, name: { id: generation, projection: id, nodes, directory, record: died.record } };
}

test('what a daemon had announced and did not live to commit is published by the next one, once', async (t) => {
  const { next, id, name } = await diedDecided(t, { a: 'a1', 'dir/b': 'b1' });
  assert.equal(next.catalog.wasPublished(name.id), false, 'the commit was not made');
  for (let start = 1; start <= 2; start += 1) {
    publishDecided([name], { ...next, log: silentLog });
    assert.equal(next.catalog.projection(id)?.generation, name.id);
    assert.equal(next.catalog.projection(id)?.number, 2);
  }
  assert.deepEqual(await textOf(next, name.id), { a: 'a1', 'dir/b': 'b1' });
});

test('names of swaps that were not announced are not published, and a record that is not there is told of', async (t) => {
  const { next, id, name } = await diedDecided(t, { a: 'a1' });
  const errors: unknown[] = [];
  const log = { ...silentLog, error: (fields: unknown) => void errors.push(fields) };
  const { record, ...undecided } = name;
  publishDecided([undecided], { ...next, log });
  assert.deepEqual(errors, []);
  publishDecided([{ ...name, record: (record ?? 0) + 1 }], { ...next, log });
  publishDecided([{ ...name, id: (name.id + 1) as GenerationId }], { ...next, log });
  assert.deepEqual(errors, [{ generation: name.id }, { generation: name.id + 1 }]);
  assert.equal(next.catalog.projection(id)?.number, 1);
});
