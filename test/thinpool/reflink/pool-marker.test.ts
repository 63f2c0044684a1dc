import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  readMarker,
  readTransaction,
  writeMarker,
  writeTransaction,
} from '../../../src/thinpool/reflink/pool-marker.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dunnage-marker-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('where no pool was made there is no marker, and no change has happened', async () => {
  assert.equal(await readMarker(root), undefined);
  assert.equal(await readTransaction(root), 0);
});

test('what is written is read again, and leaves nothing beside it', async () => {
  await writeMarker(root, 'fast', 4096, 1_048_576);
  await writeTransaction(root, 12);
  await writeTransaction(root, 13);
  assert.deepEqual(await readMarker(root), {
    format: 1,
    name: 'fast',
    overheadBytes: 4096,
    totalBytes: 1_048_576,
  });
  assert.equal(await readTransaction(root), 13);
  assert.deepEqual(readdirSync(root).sort(), ['dunnage-pool.json', 'transaction']);
});

test('a damaged file is said to be, never taken for a new pool', async () => {
  for (const text of ['', '{', '[]', '{"format":2,"name":"a","overheadBytes":1}', '{"format":1}', 'null']) {
    writeFileSync(join(root, 'dunnage-pool.json'), text);
    await assert.rejects(readMarker(root), { code: 'CORRUPT' }, text);
  }
  for (const text of ['', ' \n', 'x', '-1', '1.5', '1e99']) {
    writeFileSync(join(root, 'transaction'), text);
    await assert.rejects(readTransaction(root), { code: 'CORRUPT' }, JSON.stringify(text));
  }
});

test('what cannot be written is an error, and the old stays', async () => {
  await writeTransaction(root, 5);
  await assert.rejects(writeTransaction(join(root, 'missing'), 6), { code: 'NOT_FOUND' });
  assert.equal(await readTransaction(root), 5);
});
