import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Maintenance } from '../../src/daemon/maintenance.ts';
import { CATALOG_FINDINGS } from '../../src/projection/check/finding.ts';
import { BLOB_FINDINGS } from '../../src/store/check/finding.ts';
import { CatalogScene } from '../projection/helpers/catalog-scene.ts';
import { repositoryRoot } from '../tools/repository.ts';

function maintenanceOf(scene: CatalogScene, remove = () => Promise.resolve([])): Maintenance {
  const { store, stateDir } = scene;
  const garbage = { holders: () => () => undefined, remove };
  return new Maintenance({ store, stateDir, key: undefined, clock: systemClock, serving: undefined, garbage });
}

test('docs/fsck.md lists every code with its sentence, and none that is gone', () => {
  const text = readFileSync(join(repositoryRoot(), 'docs/fsck.md'), 'utf8');
  const documented = [...text.matchAll(/^\| `([a-z-]+)` +\| (.*?) +\| (yes|no) +\|/gm)].map((row) => row.slice(1, 4));
  const content = Object.entries(BLOB_FINDINGS).map(([code, { title, online }]) => [
    code,
    title,
    online ? 'yes' : 'no',
  ]);
  const catalog = Object.entries(CATALOG_FINDINGS).map(([code, title]) => [code, title, 'no']);
  assert.deepEqual(documented, [...content, ...catalog]);
});

test('the outcome says whether something is wrong, was mended, or could not be', async (t) => {
  const scene = new CatalogScene(t);
  const web = scene.create('web');
  const generation = await scene.write(web, { a: 'one' });
  const maintenance = maintenanceOf(scene);
  assert.equal((await maintenance.fsck(true)).outcome, 'clean');
  const count = scene.store.table(
    'counters',
    { encode: Buffer.from, decode: String },
    { encode: Buffer.from, decode: String },
  );
  scene.store.transactBuffered(() => count.put('next-node-id', '1'));
  assert.equal((await maintenance.fsck(false)).outcome, 'found');
  assert.equal((await maintenance.fsck(true)).outcome, 'repaired');
  assert.equal((await maintenance.fsck(true)).outcome, 'clean');
  const [digest] = [...scene.catalog.digests(generation)];
  assert(digest !== undefined);
  const content = scene.store.table(
    'blob-content',
    { encode: (key: Buffer) => key, decode: Buffer.from },
    { encode: Buffer.from, decode: String },
  );
  scene.store.transactBuffered(() => content.put(digest, 'two'));
  assert.equal((await maintenance.fsck(true)).outcome, 'unrepaired');
});

test('one run at a time', async (t) => {
  const maintenance = maintenanceOf(new CatalogScene(t));
  const first = maintenance.fsck(false);
  await assert.rejects(maintenance.gc(true), { code: 'BUSY' });
  await first;
  assert.equal((await maintenance.gc(true)).dryRun, true);
});
