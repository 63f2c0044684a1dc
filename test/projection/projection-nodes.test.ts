import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type GenerationId, type NodeId, type ProjectionId, ROOT_NODE_ID } from '../../src/base/ids.ts';
import { ProjectionNodes } from '../../src/projection/projection-nodes.ts';
import type { ProjectionRecord } from '../../src/projection/records.ts';
import { SwapOverlay } from '../../src/projection/swap-overlay.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

interface Scene {
  readonly scene: CatalogScene;
  readonly overlay: SwapOverlay;
  readonly nodes: ProjectionNodes;
  readonly id: ProjectionId;
  record(): ProjectionRecord;
  /** Directory name of a generation. */
  nameOf(generation: GenerationId): string;
  special(name: string): { generation: GenerationId; index: number } | undefined;
  shown(): string[];
}

function makeScene(t: TestContext): Scene {
  const scene = new CatalogScene(t);
  const overlay = new SwapOverlay();
  const nodes = new ProjectionNodes(scene.catalog, overlay, scene.pending);
  const id = scene.create('web');
  const record = (): ProjectionRecord => scene.catalog.projection(id) as ProjectionRecord;
  return {
    scene,
    overlay,
    nodes,
    id,
    record,
    nameOf: (generation) => scene.staged.get(generation)?.directory ?? '',
    special: (name) => nodes.special(id, record(), name),
    shown: () => [...nodes.shownLinks(id)].map(({ name }) => name).sort(),
  };
}

describe('ProjectionNodes.resolve', () => {
  it('tells from a node id alone what it is', async (t) => {
    const { scene, nodes, id, record } = makeScene(t);
    const generation = await scene.write(id, { a: '1' });
    const link = scene.catalog.link(id, 'a')?.node as NodeId;
    assert.deepEqual(nodes.resolve(ROOT_NODE_ID), { kind: 'root' });
    assert.deepEqual(nodes.resolve(id as number as NodeId), { kind: 'projection', id, record: record() });
    assert.deepEqual(nodes.resolve(link), { kind: 'link', node: link, projection: id, name: 'a' });
    for (const index of [0, 1, 2]) {
      const node = nodes.resolve((generation + index) as NodeId);
      assert.ok(node.kind === 'generation');
      assert.deepEqual([node.generation.id, node.index], [generation, index]);
    }
  });

  it('is STALE for what never was and for what was removed', async (t) => {
    const { scene, nodes, id } = makeScene(t);
    const first = await scene.write(id, { old: '1' });
    const link = scene.catalog.link(id, 'old')?.node as NodeId;
    await scene.write(id, { new: '2' });
    scene.catalog.remove([first], scene.blobs);
    for (const node of [first as number, link, 4711]) {
      assert.throws(() => nodes.resolve(node as NodeId), { code: 'STALE' });
    }
  });
});

describe('ProjectionNodes.generation', () => {
  it('is read once and kept until it is released', async (t) => {
    const { scene, nodes, id } = makeScene(t);
    const generation = await scene.write(id, { a: '1' });
    const loaded = nodes.generation(generation);
    assert.equal(nodes.generation(generation), loaded);
    nodes.release(generation);
    assert.notEqual(nodes.generation(generation), loaded);
    nodes.release(4711 as GenerationId);
  });

  it('is STALE if it is gone, even if the content of others is kept', async (t) => {
    const { scene, nodes, id } = makeScene(t);
    const first = await scene.write(id, { a: '1' });
    const second = await scene.write(id, { a: '2' });
    nodes.generation(second);
    scene.catalog.remove([first], scene.blobs);
    assert.throws(() => nodes.generation(first), { code: 'STALE' });
  });
});

describe('ProjectionNodes.isShown', () => {
  it('from the mkdir of a projection to its rmdir', async (t) => {
    const { scene, overlay, nodes, id, record } = makeScene(t);
    assert.equal(nodes.isShown(id, record()), false);
    overlay.made.add(id);
    assert.equal(nodes.isShown(id, record()), true);
    await scene.write(id, { a: '1' });
    overlay.published(id);
    assert.equal(nodes.isShown(id, record()), true);
    await scene.catalog.beginDelete(id);
    assert.equal(nodes.isShown(id, record()), true);
    overlay.deleted(id);
    assert.equal(nodes.isShown(id, record()), false);
  });
});

describe('ProjectionNodes.special', () => {
  it('..data is there from the first swap until its unlink', async (t) => {
    const { scene, overlay, id, special } = makeScene(t);
    assert.equal(special('..data'), undefined);
    const generation = await scene.write(id, { a: '1' });
    assert.deepEqual(special('..data'), { generation, index: 1 });
    overlay.dataRemoved.add(id);
    assert.equal(special('..data'), undefined);
  });

  it('..data_tmp is there while a swap is under way', async (t) => {
    const { scene, overlay, id, special, nameOf } = makeScene(t);
    const generation = await scene.stage(id, { a: '1' });
    assert.equal(special('..data_tmp'), undefined);
    assert.ok(scene.pending.waiting(id, nameOf(generation)));
    overlay.of(id).stagingLink = generation;
    assert.deepEqual(special('..data_tmp'), { generation, index: 1 });
    overlay.published(id);
    assert.equal(special('..data_tmp'), undefined);
  });

  it('a staged directory cannot be reached before its mkdir', async (t) => {
    const { scene, overlay, id, special, nameOf } = makeScene(t);
    const generation = await scene.stage(id, { a: '1' });
    assert.equal(special(nameOf(generation)), undefined);
    overlay.of(id).staged = generation;
    assert.deepEqual(special(nameOf(generation)), { generation, index: 0 });
  });

  it('a replaced directory can be reached by name while it lingers', async (t) => {
    const { scene, overlay, id, special, nameOf } = makeScene(t);
    const first = await scene.write(id, { a: '1' });
    const second = await scene.write(id, { a: '2' });
    overlay.lingering.add(first);
    assert.deepEqual(special(nameOf(first)), { generation: first, index: 0 });
    assert.deepEqual(special(nameOf(second)), { generation: second, index: 0 });
    overlay.lingering.delete(first);
    assert.equal(special(nameOf(first)), undefined);
    assert.deepEqual(special(nameOf(second)), { generation: second, index: 0 });
  });

  it('a name of another projection means nothing here', async (t) => {
    const { scene, special, nameOf } = makeScene(t);
    const generation = await scene.write(scene.create('other'), { a: '1' });
    assert.equal(special(nameOf(generation)), undefined);
    assert.equal(special('..'), undefined);
  });
});

describe('ProjectionNodes.shownLinks', () => {
  it('a link is shown from its symlink to its unlink, whatever the store says meanwhile', async (t) => {
    const { scene, overlay, nodes, id, shown } = makeScene(t);
    await scene.write(id, { old: '1' });
    scene.publish(await scene.stage(id, { new: '2' }), 0);
    const node = (name: string): NodeId => scene.catalog.link(id, name)?.node as NodeId;
    assert.deepEqual(shown(), ['old']);
    overlay.of(id).announced.add(node('new'));
    assert.deepEqual(shown(), ['new', 'old']);
    assert.equal(nodes.shownLink(id, 'new'), node('new'));
    overlay.of(id).removed.add(node('old'));
    assert.deepEqual(shown(), ['new']);
    assert.equal(nodes.shownLink(id, 'old'), undefined);
    scene.catalog.settle(id, ['new'], ['old']);
    overlay.published(id);
    assert.deepEqual(shown(), ['new']);
  });

  it('one that waits to be announced is not shown, and one that never was is not there', async (t) => {
    const { scene, nodes, id, shown } = makeScene(t);
    scene.publish(await scene.stage(id, { a: '1' }));
    assert.deepEqual(shown(), []);
    assert.equal(nodes.shownLink(id, 'a'), undefined);
    assert.equal(nodes.shownLink(id, 'never'), undefined);
  });
});
