import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOB_TABLES, TOTAL } from '../../../src/store/blob-records.ts';
import { bytesValue, stringKey } from '../../../src/store/codecs.ts';
import { codes, DamagedStore } from './damaged-store.ts';

for (const wrong of ['{"blobs":7,"sizeBytes":1}', '{"blobs":"many"}', 'null', 'torn', undefined]) {
  test(`totals that say ${wrong ?? 'nothing'} are found and counted again`, async (t) => {
    const made = await DamagedStore.make(t);
    const right = made.blobs.statistics();
    const table = made.store.table(BLOB_TABLES.statistics, stringKey, bytesValue);
    made.change(() => (wrong === undefined ? void table.remove(TOTAL) : table.put(TOTAL, Buffer.from(wrong))));
    assert.deepEqual(codes((await made.check()).remaining), ['blob-totals-wrong']);
    assert.deepEqual((await made.check({ repair: true })).remaining, []);
    assert.deepEqual(made.blobs.statistics(), right);
  });
}
