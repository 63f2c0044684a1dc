import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { plainDigest } from '../../../src/store/digest.ts';
import { codes, DamagedStore } from './damaged-store.ts';

test('content files that no record names are found and removed; files of others are left alone', async (t) => {
  const made = await DamagedStore.make(t);
  const orphan = made.plant('ab', 'cd'.repeat(31));
  const strangers = [made.plant('ab', 'notes.txt'), made.plant('README'), made.plant('zz', 'cd'.repeat(31))];
  assert.deepEqual(
    (await made.check()).remaining.map(({ code, object }) => [code, object]),
    [['blob-file-dangling', orphan]],
  );
  assert.deepEqual((await made.check({ repair: true })).remaining, []);
  assert.equal(existsSync(orphan), false);
  for (const path of strangers) assert.ok(existsSync(path));
});

test('files of writes that were cut short are found and removed', async (t) => {
  const made = await DamagedStore.make(t);
  const temporary = made.plant('tmp', '0123456789abcdef');
  assert.deepEqual(codes((await made.check()).remaining), ['temporary-file']);
  assert.ok(existsSync(temporary));
  assert.deepEqual((await made.check({ repair: true })).remaining, []);
  assert.equal(existsSync(temporary), false);
});

test('bytes in the metadata that no record names are found and removed', async (t) => {
  const made = await DamagedStore.make(t);
  const digest = plainDigest(Buffer.from('nobody'));
  made.change(() => made.inline.put(digest, Buffer.from('nobody')));
  assert.deepEqual(codes((await made.check()).remaining), ['blob-row-dangling']);
  assert.deepEqual((await made.check({ repair: true })).remaining, []);
  assert.equal(made.inline.get(digest), undefined);
});

test('a copy at the place that the record does not name is removed', async (t) => {
  const made = await DamagedStore.make(t);
  const { digest } = made.content('plain-inline');
  const name = digest.toString('hex');
  const copy = made.plant(name.slice(0, 2), name.slice(2));
  assert.deepEqual(codes((await made.check({ repair: true })).repaired), ['blob-file-dangling']);
  assert.equal(existsSync(copy), false);
});

test('a file that is being written is not dangling', async (t) => {
  const made = await DamagedStore.make(t);
  const blob = await made.blobs.prepare(Buffer.alloc(100_000, 'new'), 'plain');
  assert.deepEqual((await made.check({ repair: true })).repaired, []);
  made.change(() => made.blobs.retain(blob));
  assert.ok(existsSync(join(made.path(blob.digest))));
});
