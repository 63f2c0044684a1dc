import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codes, DamagedStore, SORTS } from './damaged-store.ts';

async function allReadable(made: DamagedStore): Promise<void> {
  for (const { digest, data } of made.contents.values()) {
    assert.deepEqual(Buffer.from(await made.blobs.read(digest, 0, data.length)), data);
  }
}

for (const references of [0, 1, 3, 4_000_000_000]) {
  test(`${references} references recorded where there are two is found and mended`, async (t) => {
    const made = await DamagedStore.make(t);
    made.setRecord(made.content('plain-inline'), { references });
    const { remaining } = await made.check();
    assert.deepEqual(codes(remaining), ['blob-count-wrong']);
    assert.match(remaining[0]?.what ?? '', new RegExp(`^${references} references are recorded, there are 2$`));
    assert.deepEqual((await made.check({ repair: true })).remaining, []);
    assert.equal(made.records.get(made.content('plain-inline').digest)?.references, 2);
  });
}

for (const sort of SORTS) {
  test(`${sort} to which nothing refers is removed, with its bytes`, async (t) => {
    const made = await DamagedStore.make(t);
    const { digest } = made.content(sort);
    const kept = made.referring.filter(({ content }) => !content.digest.equals(digest));
    made.referring.splice(0, made.referring.length, ...kept);
    assert.deepEqual(codes((await made.check()).remaining), ['blob-unreferenced']);
    assert.deepEqual((await made.check({ repair: true })).remaining, []);
    assert.equal(made.records.get(digest), undefined);
    assert.equal(made.inline.get(digest), undefined);
    assert.deepEqual((await made.check()).remaining, []);
    assert.equal(made.blobs.statistics().blobs, 3);
  });

  test(`${sort}: a record that is missing is made anew from the bytes`, async (t) => {
    const made = await DamagedStore.make(t);
    const { digest } = made.content(sort);
    const before = made.records.get(digest);
    made.change(() => made.records.remove(digest));
    assert.ok(codes((await made.check()).remaining).includes('blob-record-missing'));
    assert.deepEqual((await made.check({ repair: true })).remaining, []);
    assert.deepEqual(made.records.get(digest), before);
    await allReadable(made);
  });

  test(`${sort}: a record that cannot be read is made anew from the bytes`, async (t) => {
    const made = await DamagedStore.make(t);
    const { digest } = made.content(sort);
    const before = made.records.get(digest);
    for (const bytes of [Buffer.alloc(0), Buffer.of(1, 2, 3), Buffer.alloc(11, 0xff)]) {
      made.change(() => made.rawRecords.put(digest, bytes));
      assert.ok(codes((await made.check()).remaining).includes('blob-record-unreadable'));
      assert.deepEqual((await made.check({ repair: true })).remaining, []);
      assert.deepEqual(made.records.get(digest), before);
    }
    await allReadable(made);
  });

  test(`${sort}: if record and bytes are gone, reads fail instead of finding nothing`, async (t) => {
    const made = await DamagedStore.make(t);
    const content = made.content(sort);
    made.removeBytes(content);
    made.change(() => made.records.remove(content.digest));
    const { remaining } = await made.check({ repair: true });
    assert.deepEqual(codes(remaining), ['content-lost']);
    await assert.rejects(async () => made.blobs.read(content.digest, 0, 1), { code: 'CORRUPT' });
    await made.add('new', content.data, content.protection);
    assert.deepEqual((await made.check()).remaining, []);
    await allReadable(made);
  });
}

test('a record without the key is made anew as sealed content that awaits its source', async (t) => {
  const made = await DamagedStore.make(t);
  const { digest } = made.content('secret-file');
  made.change(() => made.records.remove(digest));
  assert.deepEqual((await made.check({ repair: true, key: undefined })).remaining, []);
  assert.throws(() => made.blobs.read(digest, 0, 1), { code: 'AWAITING_SOURCE' });
});

test('rows whose key is no digest are removed', async (t) => {
  const made = await DamagedStore.make(t);
  made.change(() => made.rawRecords.put(Buffer.from('short'), Buffer.from('x')));
  assert.deepEqual(codes((await made.check()).remaining), ['blob-record-unreadable']);
  assert.deepEqual((await made.check({ repair: true })).remaining, []);
  assert.equal(made.rawRecords.get(Buffer.from('short')), undefined);
});

test('while a list of files cannot be read, nothing counts as unreferenced', async (t) => {
  const made = await DamagedStore.make(t);
  const { digest } = made.content('plain-file');
  const references = made.references.bind(made);
  const kept = made.referring.filter(({ content }) => !content.digest.equals(digest));
  made.referring.splice(0, made.referring.length, ...kept);
  made.references = () => Object.assign(references(), { isComplete: false });
  assert.deepEqual((await made.check({ repair: true })).remaining, []);
  assert.ok(made.records.get(digest) !== undefined);
});
