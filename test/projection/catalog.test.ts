import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../src/base/ids.ts';
import { Catalog } from '../../src/projection/catalog.ts';
import type { GenerationChains } from '../../src/projection/generation-chain.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { numberKey } from '../../src/store/codecs.ts';
import { CatalogScene, CREATED_AT_MS } from './helpers/catalog-scene.ts';

describe('Catalog: projections', () => {
  it('a new one has its names, no generation, and is unsettled until its first write is over', (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('secret.db', { kind: 'Secret', name: 'db', immutable: true });
    assert.deepEqual(scene.catalog.projection(id), {
      directory: 'secret.db',
      kind: 'Secret',
      namespace: 'default',
      name: 'db',
      immutable: true,
      state: 'creating',
      generation: 0,
      number: 0,
      history: [],
      keep: 1,
      createdAtMs: CREATED_AT_MS,
      updatedAtMs: CREATED_AT_MS,
      sourceSeenAtMs: 0,
    });
    assert.equal(scene.catalog.findProjection('secret.db'), id);
    assert.deepEqual([...scene.catalog.allUnsettled()], [id]);
  });

  it('a name that is taken is ALREADY_EXISTS, and nothing of the second one stays', (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    assert.throws(() => scene.create('web'), { code: 'ALREADY_EXISTS' });
    assert.equal(scene.catalog.projectionCount(), 1);
    assert.deepEqual([...scene.catalog.allUnsettled()], [id]);
  });

  it('are listed in the order of their ids, from any of them on', (t) => {
    const scene = new CatalogScene(t);
    const ids = ['c', 'a', 'b'].map((name) => scene.create(name));
    const listed = (after?: number): ProjectionId[] => [...scene.catalog.projections(after)].map(({ id }) => id);
    assert.deepEqual(listed(), ids);
    assert.deepEqual(listed(ids[0]), ids.slice(1));
    assert.deepEqual(listed(ids[2]), []);
  });

  it('deletion frees the name, but never the id', async (t) => {
    const scene = new CatalogScene(t);
    const first = scene.create('web');
    await scene.write(first, { a: '1' });
    await scene.catalog.beginDelete(first);
    assert.equal(scene.catalog.findProjection('web'), first, 'taken until the deletion is finished');
    await scene.catalog.finishDelete(first);
    assert.equal(scene.catalog.findProjection('web'), undefined);
    const second = scene.create('web');
    assert.ok(second > first, `${second} after ${first}`);
  });

  it('deletion drops the published generation, but leaves its content to whoever reads it', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const generation = await scene.write(id, { a: '1', 'b/c': '2' });
    await scene.catalog.beginDelete(id);
    await scene.catalog.finishDelete(id);
    assert.deepEqual([...scene.catalog.allDropped()], [generation]);
    assert.equal(scene.catalog.nodes(generation).content.length, 3);
    assert.equal(scene.blobs.statistics().blobs, 2);
    assert.deepEqual(scene.linkNames(id), []);
    assert.deepEqual([...scene.catalog.allUnsettled()], []);
  });

  it('deletion begins only once, and cannot be finished before it began', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    await assert.rejects(scene.catalog.finishDelete(id), { name: 'AssertionError' });
    await scene.catalog.beginDelete(id);
    await scene.catalog.beginDelete(id);
    await scene.catalog.finishDelete(id);
    await assert.rejects(scene.catalog.beginDelete(id), { code: 'NOT_FOUND' });
    assert.throws(() => scene.catalog.setImmutable(id, true), { code: 'NOT_FOUND' });
  });

  it('one that is being deleted does not come alive by a swap that was under way', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const generation = await scene.stage(id, { a: '1' });
    await scene.catalog.beginDelete(id);
    scene.publish(generation, CREATED_AT_MS);
    assert.equal(scene.catalog.projection(id)?.state, 'deleting');
  });
});

describe('Catalog.reserveNodes', () => {
  it('gives every node an id of its own, and each id leads back to its generation', async (t) => {
    const scene = new CatalogScene(t);
    const [one, two] = [scene.create('one'), scene.create('two')];
    const first = await scene.write(one, { a: '1', 'b/c': '2' });
    const second = await scene.write(two, { d: '3' });
    const taken = new Set<number>([one, two]);
    for (const id of [first, second]) {
      const { nodes } = scene.catalog.generation(id) as { nodes: number };
      for (let node = id as number; node < id + nodes; node += 1) {
        assert.ok(!taken.has(node), `${node} is used twice`);
        taken.add(node);
        assert.equal(scene.catalog.generationOfNode(node as NodeId)?.id, id);
      }
    }
    for (const [projection, name] of [
      [one, 'a'],
      [one, 'b'],
      [two, 'd'],
    ] as const) {
      const node = scene.catalog.link(projection, name)?.node ?? 0;
      assert.ok(!taken.has(node), `${node} is used twice`);
      taken.add(node);
    }
  });

  it('never gives an id again, not to another catalog and not after a restart', async (t) => {
    const scene = new CatalogScene(t);
    const first = scene.catalog.reserveNodes(10);
    const other = new Catalog(scene.store);
    const second = other.reserveNodes(100_000);
    assert.ok(second >= first + 10);
    const third = scene.catalog.reserveNodes(70_000);
    assert.ok(third >= second + 100_000);
    assert.ok(scene.create('web') >= third + 70_000);
  });
});

describe('Catalog.store', () => {
  it('keeps a large generation and its content ahead of the swap, and shows nothing of it', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const generation = await scene.stage(id, { a: '12345', 'b/c': '678' }, { isStored: true });
    const { directory = '' } = scene.catalog.generation(generation) ?? {};
    assert.deepEqual(scene.catalog.generation(generation), {
      projection: id,
      directory,
      number: 0,
      createdAtMs: CREATED_AT_MS + 1,
      nodes: 5,
      directories: 1,
      files: 2,
      sizeBytes: 8,
    });
    assert.equal(scene.catalog.findGeneration(id, directory), generation);
    assert.equal(scene.catalog.wasPublished(generation), false);
    assert.equal(scene.catalog.projection(id)?.generation, 0);
    assert.deepEqual([...scene.catalog.allStaged()], [generation]);
    assert.deepEqual(scene.linkNames(id), []);
    assert.deepEqual(
      [...scene.catalog.nodes(generation).files()].map(({ path }) => path),
      ['a', 'b/c'],
    );
  });

  it('publication takes it over as it is; discarding takes it away with its content', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const published = await scene.stage(id, { a: '1', same: 'x' }, { isStored: true });
    scene.publish(published);
    const discarded = await scene.stage(id, { a: '2', same: 'x' }, { isStored: true });
    assert.equal(scene.blobs.statistics().blobs, 3);
    scene.catalog.discard(discarded, scene.blobs);
    scene.catalog.discard(discarded, scene.blobs);
    scene.catalog.discard(published, scene.blobs);
    assert.deepEqual([...scene.catalog.allStaged()], []);
    assert.deepEqual([...scene.catalog.allDropped()], []);
    assert.equal(scene.catalog.generation(discarded), undefined);
    assert.equal(scene.catalog.generation(published)?.number, 1);
    assert.equal(scene.blobs.statistics().blobs, 2);
  });

  it('an abandoned transaction keeps nothing: no record, no hold on content', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const staged = scene.staged.get(await scene.stage(id, { a: '1' })) as StagedGeneration;
    const unprepared = { digest: scene.blobs.digestOf(Buffer.from('x'), 'plain'), sizeBytes: 1 };
    const blob = { ...unprepared, protection: 'plain', inline: Buffer.from('x') } as const;
    assert.throws(() => scene.catalog.store(staged, [blob], scene.blobs), { code: 'NOT_FOUND' });
    assert.equal(scene.catalog.findGeneration(id, staged.directory), undefined);
    assert.deepEqual([...scene.catalog.allStaged()], []);
    assert.equal(scene.blobs.statistics().blobs, 0);
  });
});

describe('Catalog.publish', () => {
  it('makes the generation the one of its projection, and drops the one before', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const first = await scene.stage(id, { a: '1' });
    assert.deepEqual(scene.publish(first, CREATED_AT_MS + 10), { replaced: 0, dropped: [] });
    const second = await scene.stage(id, { a: '2' });
    assert.deepEqual(scene.publish(second, CREATED_AT_MS + 20), { replaced: first, dropped: [first] });
    const { state, generation, number, createdAtMs, updatedAtMs } = scene.catalog.projection(id) ?? {};
    assert.deepEqual(
      { state, generation, number, createdAtMs, updatedAtMs },
      { state: 'live', generation: second, number: 2, createdAtMs: CREATED_AT_MS, updatedAtMs: CREATED_AT_MS + 20 },
    );
    assert.deepEqual([...scene.catalog.allDropped()], [first]);
    assert.ok(scene.catalog.isDropped(first) && !scene.catalog.isDropped(second));
    assert.deepEqual([...scene.catalog.allStaged()], []);
  });

  it('prepares a link for every top-level name, and keeps those that are there', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    const before = scene.catalog.link(id, 'a');
    scene.publish(await scene.stage(id, { a: '2', 'dir/x': '3', 'dir/y': '4' }));
    assert.deepEqual(scene.linkNames(id), ['(dir)', 'a']);
    assert.deepEqual(scene.catalog.link(id, 'a'), before);
    const { node } = scene.catalog.link(id, 'dir') as { node: NodeId };
    assert.deepEqual(scene.catalog.linkOfNode(node), { projection: id, name: 'dir' });
  });

  it('leaves nothing to settle if it changes no name', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    scene.publish(await scene.stage(id, { a: '2' }, { changesNames: false, links: [] }));
    assert.deepEqual([...scene.catalog.allUnsettled()], []);
    assert.deepEqual(scene.linkNames(id), ['a']);
  });

  it('of a projection that is gone is NOT_FOUND and changes nothing', async (t) => {
    const scene = new CatalogScene(t);
    const generation = await scene.stage(4711 as ProjectionId, { a: '1' });
    assert.throws(() => scene.publish(generation), { code: 'NOT_FOUND' });
    assert.equal(scene.catalog.generation(generation), undefined);
    assert.equal(scene.blobs.statistics().blobs, 0);
  });

  it('is seen by another catalog over the same store after a refresh', async (t) => {
    const scene = new CatalogScene(t);
    const other = new Catalog(scene.store);
    const id = scene.create('web');
    const generation = await scene.write(id, { a: '1' });
    other.refresh();
    assert.equal(other.projection(id)?.generation, generation);
  });
});

describe('Catalog: the history of a projection', () => {
  const historyOf = (scene: CatalogScene, id: ProjectionId): readonly number[] =>
    scene.catalog.projection(id)?.history ?? [];
  const writeTimes = async (scene: CatalogScene, id: ProjectionId, count: number): Promise<GenerationId[]> => {
    const written: GenerationId[] = [];
    for (let index = 0; index < count; index += 1) written.unshift(await scene.write(id, { a: `${index}` }));
    return written;
  };

  it('has the newest published generations, numbered, and drops the oldest in the commit of a swap', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web', { keep: 3 });
    const written = await writeTimes(scene, id, 5);
    assert.deepEqual(historyOf(scene, id), written.slice(0, 3));
    assert.deepEqual([...scene.catalog.allDropped()].reverse(), written.slice(3));
    assert.deepEqual(
      written.map((generation) => scene.catalog.generation(generation)?.number),
      [5, 4, 3, 2, 1],
    );
  });

  it('is cut by a smaller limit and by a purge, but never loses the published one', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web', { keep: 5 });
    const written = await writeTimes(scene, id, 5);
    assert.deepEqual(await scene.catalog.setKeep(id, 4), written.slice(4));
    assert.deepEqual(await scene.catalog.purge(id, 2), written.slice(2, 4));
    assert.deepEqual(await scene.catalog.purge(id, 0), written.slice(1, 2));
    assert.deepEqual(historyOf(scene, id), written.slice(0, 1));
    assert.equal(scene.catalog.projection(id)?.keep, 4, 'a purge is no new limit');
    assert.deepEqual([...scene.catalog.allDropped()].reverse(), written.slice(1));
  });

  it('goes with its projection', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web', { keep: 3 });
    const written = await writeTimes(scene, id, 3);
    await scene.catalog.beginDelete(id);
    await scene.catalog.finishDelete(id);
    assert.deepEqual([...scene.catalog.allDropped()].reverse(), written);
    scene.catalog.remove(written, scene.blobs);
    assert.equal(scene.blobs.statistics().blobs, 0);
  });
});

describe('Catalog.remove', () => {
  it('releases exactly the references of the generation', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const first = await scene.write(id, { same: 'shared', twin: 'shared', gone: 'only here' });
    const second = await scene.write(id, { same: 'shared', new: 'fresh' });
    assert.deepEqual(scene.blobs.statistics(), { blobs: 3, sizeBytes: 6 + 9 + 5 });
    scene.catalog.remove([first], scene.blobs);
    assert.deepEqual(scene.blobs.statistics(), { blobs: 2, sizeBytes: 6 + 5 });
    for (const digest of scene.catalog.digests(second)) assert.ok(scene.blobs.isReadable(digest));
    assert.equal(scene.catalog.generation(first), undefined);
    assert.deepEqual([...scene.catalog.digests(first)], []);
    assert.throws(() => scene.catalog.nodes(first), { code: 'CORRUPT' });
    assert.equal(scene.catalog.generationOfNode(first as number as NodeId), undefined);
    await scene.catalog.beginDelete(id);
    await scene.catalog.finishDelete(id);
    scene.catalog.remove([second], scene.blobs);
    assert.deepEqual(scene.blobs.statistics(), { blobs: 0, sizeBytes: 0 });
  });

  it('a second time does nothing: content others refer to stays', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const first = await scene.write(id, { a: 'shared' });
    await scene.write(id, { a: 'shared', b: 'more' });
    scene.catalog.remove([first], scene.blobs);
    scene.catalog.remove([first], scene.blobs);
    assert.equal(scene.blobs.statistics().blobs, 2);
  });

  it('never takes a generation that is published or staged', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const published = await scene.write(id, { a: '1' });
    const staged = await scene.stage(id, { a: '2' }, { isStored: true });
    scene.catalog.remove([published], scene.blobs);
    scene.catalog.remove([staged], scene.blobs);
    assert.ok(scene.catalog.generation(published) && scene.catalog.generation(staged));
    assert.equal(scene.blobs.statistics().blobs, 2);
  });

  it('with chains of an earlier call knows of what was published since, also behind a generation that was given up', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const first = await scene.write(id, { a: 'old' });
    const second = await scene.write(id, { a: 'shared' });
    const staged = await scene.stage(id, { a: 'never' }, { isStored: true });
    const chains: GenerationChains = new Map();
    scene.catalog.remove([first], scene.blobs, chains);
    scene.catalog.discard(staged, scene.blobs);
    const third = await scene.write(id, { a: 'shared' });
    scene.catalog.remove([second], scene.blobs, chains);
    assert.deepEqual(scene.blobs.statistics(), { blobs: 1, sizeBytes: 6 });
    for (const digest of scene.catalog.digests(third)) assert.ok(scene.blobs.isReadable(digest));
  });

  it('frees no id: what is made next has ids never seen before', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    const first = await scene.write(id, { a: '1' });
    const second = await scene.write(id, { a: '2' });
    scene.catalog.remove([first], scene.blobs);
    const third = await scene.stage(id, { a: '3' });
    assert.ok(third > second && second > first);
  });
});

describe('Catalog.settle', () => {
  it('makes announced links visible, removes stale ones, and leaves nothing to do for the projection', async (t) => {
    const scene = new CatalogScene(t);
    const id = scene.create('web');
    await scene.write(id, { old: '1' });
    const { node } = scene.catalog.link(id, 'old') as { node: NodeId };
    scene.publish(await scene.stage(id, { new: '2', later: '3' }), 0);
    assert.deepEqual([...scene.catalog.allUnsettled()], [id]);
    scene.catalog.settle(id, ['new', 'unknown'], ['old', 'unknown']);
    assert.deepEqual(scene.linkNames(id), ['(later)', 'new']);
    assert.equal(scene.catalog.linkOfNode(node), undefined);
    assert.deepEqual([...scene.catalog.allUnsettled()], []);
  });

  it('touches the links of its own projection only', async (t) => {
    const scene = new CatalogScene(t);
    const [one, two] = [scene.create('one'), scene.create('two')];
    await scene.write(one, { a: '1' });
    await scene.write(two, { a: '1' });
    scene.catalog.settle(one, [], ['a']);
    assert.deepEqual([scene.linkNames(one), scene.linkNames(two)], [[], ['a']]);
  });
});

describe('Catalog in a damaged store', () => {
  it('says CORRUPT for a generation without its content list', async (t) => {
    const scene = new CatalogScene(t);
    const generation = await scene.write(scene.create('web'), { a: '1' });
    const nodes = scene.store.table('generation-nodes', numberKey, { encode: Buffer.from, decode: (bytes) => bytes });
    scene.store.transactBuffered(() => nodes.remove(generation));
    assert.throws(() => scene.catalog.nodes(generation), { code: 'CORRUPT', message: new RegExp(String(generation)) });
  });
});
