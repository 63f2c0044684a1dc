import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { GenerationId } from '../../src/base/ids.ts';
import { GenerationDrain } from '../../src/projection/generation-drain.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../src/projection/lookup-table.ts';
import { SwapOverlay } from '../../src/projection/swap-overlay.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

interface DrainScene extends CatalogSceneParts {
  readonly drain: GenerationDrain;
  readonly lookups: LookupTable;
  readonly overlay: SwapOverlay;
  readonly invalidated: (readonly [number, string])[];
  readonly forgotten: GenerationId[];
}

interface CatalogSceneParts {
  readonly scene: CatalogScene;
  readonly projection: number;
  readonly replaced: GenerationId;
  readonly directory: string;
}

/** A projection with a generation that was replaced, and a drain of which the timers are the test's. */
async function makeDrain(t: TestContext, graceMs = 2_000): Promise<DrainScene> {
  const scene = new CatalogScene(t);
  const projection = scene.create('web');
  const replaced = await scene.write(projection, { a: '1' });
  await scene.write(projection, { a: '2' });
  const lookups = new LookupTable(new ArrayBuffer(16 * LOOKUP_SLOT_BYTES));
  const overlay = new SwapOverlay();
  const invalidated: (readonly [number, string])[] = [];
  const forgotten: GenerationId[] = [];
  const drain = new GenerationDrain({
    catalog: scene.catalog,
    lookups,
    overlay,
    kernelCache: {
      invalidateEntry: (parent, name) => invalidated.push([parent, name]),
      invalidateNode: () => assert.fail('only the name goes'),
    },
    graceMs,
    onForgotten: (id) => forgotten.push(id),
  });
  const directory = scene.catalog.generation(replaced)?.directory ?? '';
  return { scene, projection, replaced, directory, drain, lookups, overlay, invalidated, forgotten };
}

test('GenerationDrain.replace: the name goes when the grace period is over, not before', async (t) => {
  const { drain, replaced, projection, directory, invalidated, forgotten } = await makeDrain(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  drain.replace(replaced);
  t.mock.timers.tick(1_999);
  assert.deepEqual([invalidated, forgotten], [[], []]);
  t.mock.timers.tick(1);
  assert.deepEqual(invalidated, [[projection, directory]]);
  assert.deepEqual(forgotten, [replaced]);
});

test('GenerationDrain: a generation the kernel still holds is forgotten with its last reference', async (t) => {
  const { drain, replaced, lookups, forgotten } = await makeDrain(t);
  lookups.add(replaced, 2);
  drain.drain(replaced);
  drain.check(replaced);
  lookups.subtract(replaced, 1);
  drain.check(replaced);
  assert.deepEqual(forgotten, []);
  lookups.subtract(replaced, 1);
  drain.check(replaced);
  drain.check(replaced);
  assert.deepEqual(forgotten, [replaced], 'told once');
});

test('GenerationDrain.check: a generation is not forgotten while its grace period runs', async (t) => {
  const { drain, replaced, invalidated, forgotten } = await makeDrain(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  drain.replace(replaced);
  drain.check(replaced);
  assert.deepEqual([invalidated, forgotten], [[], []], 'its grace period is not over');
});

test('GenerationDrain.drain: a generation that is gone needs nothing', async (t) => {
  const { scene, drain, replaced, invalidated, forgotten } = await makeDrain(t);
  scene.catalog.remove([replaced], scene.blobs);
  drain.drain(replaced);
  assert.deepEqual([invalidated, forgotten], [[], []]);
});

test('GenerationDrain.close: nothing happens any more, and no timer keeps the process', async (t) => {
  const { drain, replaced, invalidated } = await makeDrain(t, 1);
  drain.replace(replaced);
  drain.close();
  const later = new EventTarget();
  setTimeout(() => later.dispatchEvent(new Event('later')), 20);
  await once(later, 'later');
  assert.deepEqual(invalidated, []);
});

test('GenerationDrain.drain: a second one tells neither the kernel nor the store again', async (t) => {
  const { drain, replaced, projection, directory, invalidated, forgotten } = await makeDrain(t);
  drain.drain(replaced);
  drain.drain(replaced);
  drain.check(replaced);
  assert.deepEqual(invalidated, [[projection, directory]]);
  assert.deepEqual(forgotten, [replaced]);
});

test('GenerationDrain.drain: the name means nothing any more', async (t) => {
  const { drain, replaced, overlay } = await makeDrain(t);
  drain.replace(replaced);
  assert.deepEqual([...overlay.lingering], [replaced]);
  drain.drain(replaced);
  assert.deepEqual([...overlay.lingering], []);
});

test('GenerationDrain: a generation that the history keeps loses its name, and is forgotten when it is dropped', async (t) => {
  const { scene, drain, invalidated, forgotten } = await makeDrain(t);
  const projection = scene.create('kept', { keep: 2 });
  const [first, second] = [await scene.write(projection, { a: '1' }), await scene.write(projection, { a: '2' })];
  drain.drain(first);
  assert.equal(invalidated.length, 1);
  await scene.write(projection, { a: '3' });
  assert.deepEqual(forgotten, []);
  drain.check(first);
  drain.check(second);
  assert.deepEqual(forgotten, [first], 'the second is kept still');
});

test('GenerationDrain: a generation of a projection that is being deleted is looked at again when that is done', async (t) => {
  const { scene, drain, forgotten } = await makeDrain(t);
  const projection = scene.create('going');
  const generation = await scene.write(projection, { a: '1' });
  await scene.catalog.beginDelete(projection);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  drain.replace(generation);
  t.mock.timers.tick(2_000);
  assert.deepEqual(forgotten, []);
  await scene.catalog.finishDelete(projection);
  t.mock.timers.tick(2_000);
  assert.deepEqual(forgotten, [generation]);
});
