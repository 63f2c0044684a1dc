import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { GenerationId } from '../../src/base/ids.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

async function staged(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<{ readonly scene: CatalogScene; readonly generation: StagedGeneration }> {
  const scene = new CatalogScene(t, { commitChain: newCommitChain() });
  const id = scene.create('web');
  const first = await scene.write(id, { a: 'a0' });
  await scene.store.flush();
  const generation = scene.staged.get(await scene.stage(id, files, { changesNames: false, links: [] }));
  assert(generation !== undefined && generation.id !== first);
  return { scene, generation };
}

test('a publication that was expected is decided before it is made', async (t) => {
  const { scene, generation } = await staged(t, { a: 'a1' });
  const publisher = scene.publisher();
  publisher.expect(generation);
  await publisher.settled();
  const seen: boolean[] = [];
  const { durable } = publisher.publish(generation, () => seen.push(scene.catalog.wasPublished(generation.id)));
  publisher.settle(generation.id);
  assert.deepEqual(seen, [false]);
  assert(scene.catalog.wasPublished(generation.id));
  await durable;
});

test('one that nobody expected is decided when its record is on disk, at the earliest', async (t) => {
  const { scene, generation } = await staged(t, { a: 'a1' });
  let decided = 0;
  const { durable } = scene.publisher().publish(generation, () => {
    decided += 1;
  });
  await durable;
  assert(decided <= 1);
  assert(scene.catalog.wasPublished(generation.id));
});

test('content in a file is nothing that a start would find: such a publication is made first', async (t) => {
  const { scene, generation } = await staged(t, { a: 'large '.repeat(60_000) });
  assert(generation.blobs.some(({ inline }) => inline === undefined));
  const publisher = scene.publisher();
  publisher.expect(generation);
  await publisher.settled();
  const { durable } = publisher.publish(generation, () => assert.fail('it was decided'));
  await durable;
});

test('what is given up is not expected any more, and one that was never expected is no matter', async (t) => {
  const { scene, generation } = await staged(t, { a: 'a1' });
  const publisher = scene.publisher();
  await publisher.giveUp(99_999 as GenerationId);
  publisher.expect(generation);
  await publisher.giveUp(generation.id);
  const { durable } = publisher.publish(generation);
  await durable;
  assert(scene.catalog.wasPublished(generation.id));
});
