import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import { numberKey } from '../../../src/store/codecs.ts';
import { codes, DamagedCatalog, WEB_FILES } from './damaged-catalog.ts';

test('a generation that is nowhere listed is dropped', async (t) => {
  const made = await DamagedCatalog.make(t);
  const record = made.catalog.projection(made.web);
  assert(record !== undefined);
  made.change(() => made.checked.projections.put(made.web, { ...record, history: record.history.slice(0, 2) }));
  await made.mends(['generation-role-wrong']);
  assert.ok(made.catalog.isDropped(made.written[0] as GenerationId));
});

test('a generation that is kept and dropped, or kept and waiting, is kept', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.checked.dropped.put(made.published, true));
  await made.mends(['generation-role-wrong']);
  assert.equal(made.catalog.isDropped(made.published), false);
  made.change(() => made.checked.staged.put(made.published, { projection: made.web }));
  await made.mends(['generation-role-wrong']);
  assert.deepEqual([...made.catalog.allStaged()], []);
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});

test('a generation that an interrupted write left is given up', async (t) => {
  const made = await DamagedCatalog.make(t);
  const staged = await made.stage(made.web, { 'a.txt': 'half', 'new.txt': 'written' }, { isStored: true });
  const { repaired } = await made.mends(['generation-half-written']);
  assert.deepEqual(codes(repaired), ['generation-half-written']);
  assert.ok(made.catalog.isDropped(staged));
  assert.deepEqual(made.linkNames(made.web), ['a.txt', 'c', 'sub']);
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});

test('entries of unfinished work that name nothing are removed', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => {
    made.checked.staged.put(4711, { projection: made.web });
    made.checked.dropped.put(4712, true);
    made.checked.unsettled.put(4713, true);
  });
  await made.mends(['row-dangling', 'row-dangling', 'row-dangling']);
});

test('entries of unfinished work that cannot be read are written anew', async (t) => {
  const made = await DamagedCatalog.make(t);
  const staged = await made.stage(made.web, { 'a.txt': 'half' }, { isStored: true });
  const key = numberKey.encode(staged);
  made.change(() => made.raw('staged').put(key, Buffer.from('{')));
  made.change(() => made.raw('unsettled').put(numberKey.encode(made.web), Buffer.from('0')));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.ok(made.catalog.isDropped(staged));
  assert.ok(made.catalog.isUnsettled(made.web));
});
