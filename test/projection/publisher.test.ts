import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Publisher } from '../../src/projection/publisher.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

interface Expected {
  readonly scene: CatalogScene;
  readonly publisher: Publisher;
  readonly generation: StagedGeneration;
}

async function staged(t: TestContext, files: Readonly<Record<string, string>>): Promise<Expected> {
  const scene = new CatalogScene(t, { commitChain: newCommitChain() });
  const id = scene.create('web');
  await scene.write(id, { a: 'a0' });
  await scene.store.flush();
  const generation = scene.staged.get(await scene.stage(id, files, { changesNames: false, links: [] }));
  assert(generation !== undefined);
  const publisher = scene.publisher();
  return { scene, publisher, generation: publisher.reserve(generation) };
}

test('a publication that was expected is decided before it is made', async (t) => {
  const { scene, publisher, generation } = await staged(t, { a: 'a1' });
  publisher.expect(generation);
  await scene.store.recordsSettled();
  let decided = 0;
  const { durable } = publisher.publish(generation, () => {
    decided += 1;
  });
  assert.equal(decided, 1);
  assert(scene.catalog.wasPublished(generation.id));
  publisher.settle(generation);
  await durable;
});

test('one that nobody expected is told of when it is durable', async (t) => {
  const { scene, publisher, generation } = await staged(t, { a: 'a1' });
  const { durable } = publisher.publish(generation, () => assert.fail('it was decided'));
  await durable;
  assert(scene.catalog.wasPublished(generation.id));
});

test('content in a file is nothing that a start would find: such a publication is made first', async (t) => {
  const { publisher, generation } = await staged(t, { a: 'large '.repeat(60_000) });
  assert(generation.blobs.some(({ inline }) => inline === undefined));
  assert.equal(generation.ahead, undefined);
  publisher.expect(generation);
  const { durable } = publisher.publish(generation, () => assert.fail('it was decided'));
  await durable;
});

test('what was given up can be published all the same, if it is asked for', async (t) => {
  const { scene, publisher, generation } = await staged(t, { a: 'a1' });
  publisher.expect(generation);
  await publisher.giveUp(generation);
  const { durable } = publisher.publish(generation, () => assert.fail('it was decided'));
  await durable;
  assert(scene.catalog.wasPublished(generation.id));
});
