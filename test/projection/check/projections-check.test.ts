import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import { numberKey } from '../../../src/store/codecs.ts';
import { codes, DamagedCatalog, WEB_FILES } from './damaged-catalog.ts';

test('a catalog in order has no findings', async (t) => {
  const made = await DamagedCatalog.make(t);
  assert.deepEqual(await made.check(true), { repaired: [], remaining: [] });
});

for (const bytes of ['{torn', 'null', '[]', '{"directory":"web"}', '']) {
  test(`a record of a projection that reads ${bytes || 'nothing'} is made anew from its name and generations`, async (t) => {
    const made = await DamagedCatalog.make(t);
    const before = [made.catalog.projection(made.web), made.catalog.projection(made.secret)];
    for (const id of [made.web, made.secret]) {
      made.change(() => made.raw('projections').put(numberKey.encode(id), Buffer.from(bytes)));
    }
    await made.mends(['projection-unreadable', 'projection-unreadable']);
    const after = [made.catalog.projection(made.web), made.catalog.projection(made.secret)];
    for (const [index, record] of after.entries()) {
      const {
        createdAtMs: _1,
        updatedAtMs: _2,
        sourceSeenAtMs: _5,
        ...rest
      } = record as object as Record<string, unknown>;
      const {
        createdAtMs: _3,
        updatedAtMs: _4,
        sourceSeenAtMs: _6,
        ...wanted
      } = before[index] as object as Record<string, unknown>;
      assert.deepEqual(rest, wanted);
    }
    assert.deepEqual(await made.files(made.web), WEB_FILES);
  });
}

test('a record that cannot be read, of a projection whose name is gone too, goes with all that belonged to it', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => {
    made.raw('projections').put(numberKey.encode(made.web), Buffer.from('{'));
    made.checked.names.remove('web');
  });
  const { repaired } = await made.check(true);
  assert.ok(codes(repaired).includes('projection-unreadable'));
  assert.equal(made.catalog.findProjection('web'), undefined);
  for (const id of made.written) assert.ok(made.catalog.isDropped(id), 'its content goes with the next start');
  assert.deepEqual([...made.catalog.links(made.web)], []);
  assert.deepEqual((await made.check()).remaining, []);
  assert.deepEqual(await made.files(made.secret), { password: 'x' });
});

test('a name that is missing, or leads elsewhere, leads to its projection again', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.checked.names.remove('web'));
  await made.mends(['projection-name-wrong']);
  made.change(() => made.checked.names.put('web', 4711));
  assert.deepEqual(codes((await made.check(true)).remaining), []);
  assert.equal(made.catalog.findProjection('web'), made.web);
});

test('a name of nothing is removed', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.checked.names.put('ghost', 4711));
  made.change(() => made.raw('projection-names').put(Buffer.from('torn'), Buffer.from('{')));
  await made.mends(['projection-name-wrong', 'projection-name-wrong']);
  assert.equal(made.catalog.findProjection('ghost'), undefined);
});

test('of two projections with one name the one it leads to stays', async (t) => {
  const made = await DamagedCatalog.make(t);
  const record = made.catalog.projection(made.secret);
  assert(record !== undefined);
  made.change(() => made.checked.projections.put(made.secret, { ...record, directory: 'web' }));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.deepEqual(await made.files(made.web), WEB_FILES);
  assert.equal(made.catalog.projection(made.secret), undefined);
});

test('a published generation that does not exist is said to be lost, no older one takes its place, and a write heals it', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.checked.removeGeneration(made.published));
  const { remaining } = await made.check();
  assert.ok(codes(remaining).includes('projection-history-wrong'));
  const mended = await made.check(true);
  assert.deepEqual(codes(mended.remaining), ['projection-content-lost']);
  assert.match(mended.remaining[0]?.action ?? '', /apply its source again/);
  const record = made.catalog.projection(made.web);
  assert.equal(record?.generation, 0);
  assert.deepEqual(record?.history, [made.written[1], made.written[0]]);
  assert.equal(record?.number, 3);

  await made.write(made.web, { 'a.txt': 'four' });
  assert.deepEqual((await made.check()).remaining, []);
  assert.deepEqual(await made.files(made.web), { 'a.txt': 'four' });
  assert.equal(made.catalog.projection(made.web)?.number, 4);
});

test('a history with generations that are gone, doubled or of others is cut to what is there', async (t) => {
  const made = await DamagedCatalog.make(t);
  const record = made.catalog.projection(made.web);
  assert(record !== undefined);
  const [first, second, third] = made.written as [GenerationId, GenerationId, GenerationId];
  const history = [third, 9999 as GenerationId, third, made.secretGeneration, second, first];
  made.change(() => made.checked.projections.put(made.web, { ...record, history, number: 1 }));
  await made.mends(['projection-history-wrong']);
  assert.deepEqual(made.catalog.projection(made.web), record);
});

test('an unfinished projection that no start would look at is put on the list', async (t) => {
  const made = await DamagedCatalog.make(t);
  const record = made.catalog.projection(made.web);
  assert(record !== undefined);
  made.change(() => made.checked.projections.put(made.web, { ...record, state: 'deleting' }));
  await made.mends(['projection-unlisted']);
  assert.ok(made.catalog.isUnsettled(made.web));
});

test('rows whose key is no id are removed', async (t) => {
  const made = await DamagedCatalog.make(t);
  const keys = [
    'projections',
    'generations',
    'generation-nodes',
    'links',
    'link-nodes',
    'staged',
    'dropped',
    'unsettled',
  ];
  for (const name of keys) made.change(() => made.raw(name).put(Buffer.from('odd'), Buffer.from('true')));
  await made.mends(keys.map(() => 'row-dangling'));
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});
