import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../src/base/ids.ts';
import type { PendingGenerations } from '../../src/projection/pending-generations.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

interface PendingScene {
  readonly scene: CatalogScene;
  readonly pending: PendingGenerations;
  readonly web: ProjectionId;
  readonly id: GenerationId;
  readonly directory: string;
}

async function makePending(t: TestContext): Promise<PendingScene> {
  const scene = new CatalogScene(t);
  const web = scene.create('web');
  const id = await scene.stage(web, { a: '1', 'b/c': '2' });
  return { scene, pending: scene.pending, web, id, directory: scene.staged.get(id)?.directory ?? '' };
}

test('PendingGenerations: a staged generation is known by its name in its own projection', async (t) => {
  const { scene, pending, web, id, directory } = await makePending(t);
  assert.equal(pending.waiting(web, directory)?.id, id);
  assert.equal(pending.waiting(scene.create('other'), directory), undefined);
  assert.equal(pending.waiting(web, '..2026_01_01_00_00_00.1'), undefined);
  assert.ok(pending.isWaiting(id));
});

test('PendingGenerations: its nodes and content are there before the store has them', async (t) => {
  const { scene, pending, web, id, directory } = await makePending(t);
  pending.named(web, directory);
  const { record, nodes } = pending.load(id) ?? assert.fail('it is known');
  assert.deepEqual([record.number, record.files, record.sizeBytes], [0, 2, 2]);
  const files = [...nodes.files()];
  assert.deepEqual(
    files.map(({ path }) => path),
    ['a', 'b/c'],
  );
  for (let node = id as number; node < id + record.nodes; node += 1) assert.equal(pending.ofNode(node as NodeId), id);
  assert.equal(pending.ofNode((id + record.nodes) as NodeId), undefined);
  const digest = files[0]?.file.digest ?? assert.fail();
  const blob = pending.blob(id, digest) ?? assert.fail('its content is prepared');
  assert.equal(Buffer.from(await scene.blobs.readPrepared(blob, 0, 10)).toString(), '1');
});

test('PendingGenerations: names are in the table from the mkdir to the publication', async (t) => {
  const { scene, pending, web, id, directory } = await makePending(t);
  pending.waiting(web, directory);
  assert.deepEqual([...scene.interrupted.entries()], []);
  pending.made(id);
  assert.deepEqual(
    scene.interrupted.of(web).map((name) => name.id),
    [id],
  );
  pending.published(id);
  assert.deepEqual([...scene.interrupted.entries()], []);
  assert.equal(pending.load(id), undefined);
});

test('PendingGenerations: what is decided leaves the table before its commit, can be read on, and cannot be given up', async (t) => {
  const { scene, pending, web, id, directory } = await makePending(t);
  pending.waiting(web, directory);
  pending.made(id);
  pending.decided(id);
  assert.deepEqual([...scene.interrupted.entries()], [], 'who comes after the commit takes it for no interrupted swap');
  assert.equal(pending.load(id)?.record.directory, directory);
  assert.equal(pending.waiting(web, directory), undefined);
  assert.equal(pending.abort(id, false), false);
  pending.published(id);
  assert.equal(pending.load(id), undefined);
});

test('PendingGenerations: one that was given up is not published any more, but its names mean something until they are gone', async (t) => {
  const { pending, web, id, directory, scene } = await makePending(t);
  pending.waiting(web, directory);
  pending.made(id);
  scene.references.add(id);
  assert.equal(pending.abort(id, false), true);
  assert.equal(pending.abort(id, false), true);
  assert.equal(pending.waiting(web, directory), undefined);
  assert.equal(pending.named(web, directory), id);
  assert.ok(pending.isAborted(id) && !pending.isWaiting(id));
  pending.finish(id);
  assert.equal(pending.named(web, directory), undefined);
  assert.deepEqual([...scene.interrupted.entries()], []);
  assert.equal(pending.ofNode(id as number as NodeId), id, 'somebody still holds its directory');
  scene.references.subtract(id, 1);
  pending.check(id);
  assert.equal(pending.ofNode(id as number as NodeId), undefined);
});

test('PendingGenerations.abort: tells what was published before from what was never known', async (t) => {
  const { pending, id } = await makePending(t);
  assert.equal(pending.abort(4711 as GenerationId, false), true);
  assert.equal(pending.abort(4711 as GenerationId, true), false);
  assert.equal(pending.abort(id, false), true, 'staged, although nobody asked for its name yet');
  pending.finish(id);
  pending.finish(4711 as GenerationId);
});

test('PendingGenerations.lost: names of a daemon that died can only be removed', async (t) => {
  const { pending, web } = await makePending(t);
  const id = 900 as GenerationId;
  pending.lost({ id, projection: web, nodes: 7, directory: '..lost' });
  assert.equal(pending.named(web, '..lost'), id);
  assert.equal(pending.waiting(web, '..lost'), undefined);
  assert.ok(pending.isAborted(id));
  assert.deepEqual([...(pending.load(id)?.nodes.files() ?? [])], []);
  assert.equal(pending.ofNode(906 as NodeId), id);
  pending.finish(id);
  assert.equal(pending.ofNode(906 as NodeId), undefined);
});
