import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { readNewestMeta } from '../../src/store/data-file.ts';
import { Store } from '../../src/store/store.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

test('readNewestMeta follows the commits', (t) => {
  const stateDir = makeStateDirectory(t);
  const path = join(stateDir, 'metadata', 'data.mdb');
  assert.equal(readNewestMeta(path), undefined);
  const store = openStore(t, stateDir);
  const table = store.table('numbers', numberKey, bytesValue);
  const before = readNewestMeta(path)?.transaction ?? 0n;
  for (let commit = 1; commit <= 5; commit += 1) {
    store.transactBuffered(() => table.put(commit, Buffer.alloc(10)));
    assert.equal(readNewestMeta(path)?.transaction, before + BigInt(commit));
  }
});

const damages: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ['garbage', () => randomBytes(65_536)],
  ['text', () => Buffer.from('this is not a database')],
  ['zeros', () => Buffer.alloc(65_536)],
  ['garbage in the first page', (bytes) => Buffer.concat([randomBytes(4096), bytes.subarray(4096)])],
  [
    'garbage in the second page',
    (bytes) => Buffer.concat([bytes.subarray(0, 4096), randomBytes(4096), bytes.subarray(8192)]),
  ],
  ['an impossible page size', (bytes) => Buffer.from(bytes).fill(0x11, 48, 52)],
  ['only the first page', (bytes) => bytes.subarray(0, 4096)],
  ['only the two meta pages', (bytes) => bytes.subarray(0, 8192)],
];

for (const [what, damage] of damages) {
  test(`a data file with ${what} is refused as CORRUPT with a remedy, and left as it is`, async (t) => {
    const stateDir = makeStateDirectory(t);
    const first = openStore(t, stateDir);
    const table = first.table('numbers', numberKey, bytesValue);
    await first.transactDurable(() => table.put(1, Buffer.alloc(5000)));
    await first.close();
    const path = join(stateDir, 'metadata', 'data.mdb');
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    assert.throws(
      () => Store.open({ stateDir, log: silentLog }),
      (error: { code?: string; remedy?: string }) => error.code === 'CORRUPT' && (error.remedy ?? '') !== '',
    );
    assert.deepEqual(readFileSync(path), damaged);
  });
}

test('a data file of a foreign LMDB version is refused', (t) => {
  const stateDir = makeStateDirectory(t);
  mkdirSync(join(stateDir, 'metadata'));
  const page = Buffer.alloc(8192);
  for (const start of [0, 4096]) {
    page.writeUInt16LE(0x08, start + 18);
    page.writeUInt32LE(0xbeefc0de, start + 24);
    page.writeUInt32LE(999, start + 28);
    page.writeUInt32LE(4096, start + 48);
    page.fill(0xff, start + 88, start + 96);
    page.fill(0xff, start + 136, start + 144);
  }
  writeFileSync(join(stateDir, 'metadata', 'data.mdb'), page);
  assert.throws(() => Store.open({ stateDir, log: silentLog }), { code: 'NOT_SUPPORTED' });
});

test('an empty data file is a new environment', (t) => {
  const stateDir = makeStateDirectory(t);
  mkdirSync(join(stateDir, 'metadata'));
  writeFileSync(join(stateDir, 'metadata', 'data.mdb'), '');
  truncateSync(join(stateDir, 'metadata', 'data.mdb'));
  openStore(t, stateDir);
});
