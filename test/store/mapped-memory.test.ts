import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { dataFile } from '../../src/store/environment.ts';
import { MappedMemory } from '../../src/store/mapped-memory.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

const ROWS = 2000;
const ROW_BYTES = 4000;
const MEBIBYTE = 1024 * 1024;

/** Bytes of the file that are mapped and resident in this process. */
function residentOf(path: string): number {
  let resident = 0;
  let isOfFile = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) isOfFile = line.endsWith(path);
    else if (isOfFile && line.startsWith('Rss:')) resident += Number(/\d+/.exec(line)?.[0]) * 1024;
  }
  return resident;
}

test('metadata that was read is let go of, and reads as before', (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const table = store.table('rows', numberKey, bytesValue);
  store.transactBuffered(() => {
    for (let row = 0; row < ROWS; row += 1) table.put(row, Buffer.alloc(ROW_BYTES, `${row};`));
  });
  const read = (): number =>
    [...table.range({})].filter(({ key, value }) => {
      return Buffer.from(value).equals(Buffer.alloc(ROW_BYTES, `${key};`));
    }).length;
  const mapped = new MappedMemory(dataFile(stateDir), silentLog, MEBIBYTE);
  t.after(() => mapped.close());

  assert.equal(read(), ROWS);
  assert.ok(residentOf(dataFile(stateDir)) > 4 * MEBIBYTE, 'a file of 8 MiB was read');
  assert.equal(mapped.check(), true);
  assert.ok(residentOf(dataFile(stateDir)) < MEBIBYTE);
  assert.equal(mapped.check(), false, 'there is nothing to let go of');
  assert.equal(read(), ROWS);
});
