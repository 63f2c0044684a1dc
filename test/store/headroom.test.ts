import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { readNewestMeta } from '../../src/store/data-file.ts';
import { dataFile } from '../../src/store/environment.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

const MIB = 1024 * 1024;

function headroomBytes(stateDir: string): number {
  const path = dataFile(stateDir);
  const meta = readNewestMeta(path);
  assert.ok(meta !== undefined);
  return statSync(path).size - (Number(meta.lastPage) + 1) * meta.pageSizeBytes;
}

test('there is written space behind the last page, also after many commits', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  assert.ok(headroomBytes(stateDir) >= MIB);
  const table = store.table('table', numberKey, bytesValue);
  for (let key = 0; key < 512; key += 1) {
    store.transactBuffered(() => table.put(key, Buffer.alloc(16 * 1024, key)));
    assert.ok(headroomBytes(stateDir) > 0, `commit ${key} lengthened the file`);
  }
  for (let key = 0; key < 512; key += 1)
    assert.ok(Buffer.from(table.get(key) ?? []).equals(Buffer.alloc(16 * 1024, key)));
});
