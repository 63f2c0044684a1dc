import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { GenerationId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { type GarbagePort, servingGarbagePort } from '../../src/daemon/garbage.ts';
import { Maintenance } from '../../src/daemon/maintenance.ts';
import { GenerationRemoval } from '../../src/projection/generation-removal.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../src/projection/lookup-table.ts';
import { CatalogScene } from '../projection/helpers/catalog-scene.ts';

interface Made {
  readonly scene: CatalogScene;
  /** Replaced: one with content of its own, then one of which everything is still in use. */
  readonly dropped: readonly [GenerationId, GenerationId];
  readonly maintenance: (holders: GarbagePort['holders']) => Maintenance;
}

async function make(t: TestContext): Promise<Made> {
  const scene = new CatalogScene(t);
  const { store, stateDir, catalog, blobs } = scene;
  const web = scene.create('web');
  const first = await scene.write(web, { a: 'alone', b: 'shared' });
  const second = await scene.write(web, { a: 'shared', b: 'shared' });
  await scene.write(web, { a: 'shared', b: 'now' });
  const removal = new GenerationRemoval({ catalog, blobs, log: silentLog });
  const remove: GarbagePort['remove'] = async (ids) => {
    for (const id of ids) removal.forgotten(id);
    await removal.run();
    return ids.filter((id) => catalog.isDropped(id));
  };
  const maintenance = (holders: GarbagePort['holders']): Maintenance =>
    new Maintenance({
      store,
      stateDir,
      key: undefined,
      clock: systemClock,
      serving: undefined,
      garbage: { holders, remove },
    });
  return { scene, dropped: [first, second], maintenance };
}

test('a dry run says what a run then does, and changes nothing', async (t) => {
  const { scene, dropped, maintenance } = await make(t);
  const port = maintenance(() => () => undefined);
  const would = await port.gc(true);
  assert.deepEqual(
    { ...would, dryRun: undefined },
    { dryRun: undefined, generations: 2, blobs: 1, files: 0, sizeBytes: 5, held: [], history: { generations: 0 } },
  );
  for (const id of dropped) assert.ok(scene.catalog.isDropped(id));
  const did = await port.gc(false);
  assert.deepEqual({ ...did, dryRun: true }, would);
  scene.catalog.refresh();
  for (const id of dropped) assert.equal(scene.catalog.generation(id), undefined);
  assert.equal(scene.blobs.statistics().blobs, 2);
  assert.equal((await port.fsck(false)).outcome, 'clean');
  assert.equal((await port.gc(false)).generations, 0);
});

test('what somebody holds stays, and the report says who', async (t) => {
  const { scene, dropped, maintenance } = await make(t);
  const [first, second] = dropped;
  const port = maintenance(() => (id) => (id === first ? 'readers hold it open' : undefined));
  const report = await port.gc(false);
  assert.equal(report.generations, 1);
  assert.deepEqual(report.held, [{ object: 'web, generation 1', sizeBytes: 11, by: 'readers hold it open' }]);
  scene.catalog.refresh();
  assert.ok(scene.catalog.isDropped(first));
  assert.equal(scene.catalog.generation(second), undefined);
});

test('a daemon asks the table of what the kernel holds', async () => {
  const memory = new ArrayBuffer(16 * LOOKUP_SLOT_BYTES);
  new LookupTable(memory).add(7 as GenerationId);
  let runs = 0;
  const removeForgotten = async (): Promise<void> => {
    runs += 1;
  };
  const projections = { isForgotten: (id: number) => id === 9, isDropped: (id: number) => id === 7, removeForgotten };
  const port = servingGarbagePort(projections, () => new LookupTable(memory));
  const holderOf = port.holders();
  assert.equal(holderOf(7 as GenerationId), 'readers hold it open');
  assert.match(holderOf(8 as GenerationId) ?? '', /moments ago/);
  assert.equal(holderOf(9 as GenerationId), undefined);
  assert.deepEqual(await port.remove([7, 9] as GenerationId[]), [7]);
  assert.equal(runs, 1);
});
