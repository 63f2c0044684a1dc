import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { GenerationId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { GenerationRemoval } from '../../src/projection/generation-removal.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

interface RemovalScene {
  readonly scene: CatalogScene;
  readonly removal: GenerationRemoval;
  readonly dropped: readonly GenerationId[];
  readonly logged: string[];
}

async function makeRemoval(t: TestContext): Promise<RemovalScene> {
  const scene = new CatalogScene(t);
  const id = scene.create('web');
  for (const text of ['1', '2', '3']) await scene.write(id, { a: text });
  const logged: string[] = [];
  const log = { ...silentLog, error: (_fields: unknown, message: string) => void logged.push(message) };
  const removal = new GenerationRemoval({ catalog: scene.catalog, blobs: scene.blobs, log });
  t.after(() => removal.close());
  return { scene, removal, dropped: [...scene.catalog.allDropped()], logged };
}

test('GenerationRemoval: what was forgotten goes in one commit, not one by one', async (t) => {
  const { scene, removal, dropped } = await makeRemoval(t);
  let commits = 0;
  const transact = scene.store.transactBuffered.bind(scene.store);
  scene.store.transactBuffered = (action) => {
    commits += 1;
    return transact(action);
  };
  for (const id of dropped) removal.forgotten(id);
  assert.equal(commits, 0, 'not while a swap is under way');
  await removal.run();
  assert.equal(commits, 1);
  assert.deepEqual([...scene.catalog.allDropped()], []);
  assert.equal(scene.blobs.statistics().blobs, 1);
});

test('GenerationRemoval: goes by itself a while after the first was forgotten', async (t) => {
  const { scene, removal, dropped } = await makeRemoval(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const id of dropped) removal.forgotten(id);
  t.mock.timers.tick(500);
  await removal.close();
  assert.deepEqual([...scene.catalog.allDropped()], []);
});

test('GenerationRemoval: what cannot be removed is logged and goes with the next batch', async (t) => {
  const { scene, removal, dropped, logged } = await makeRemoval(t);
  const remove = scene.catalog.remove.bind(scene.catalog);
  scene.catalog.remove = () => {
    throw new DunnageError('NO_SPACE', 'the disk is full');
  };
  removal.forgotten(dropped[0] as GenerationId);
  await removal.run();
  assert.equal(logged.length, 1);
  scene.catalog.remove = remove;
  removal.forgotten(dropped[1] as GenerationId);
  await removal.run();
  assert.deepEqual([...scene.catalog.allDropped()], []);
});
