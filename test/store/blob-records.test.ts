import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlobRecord, BlobRecords, blobRecordValue } from '../../src/store/blob-records.ts';
import { plainDigest } from '../../src/store/digest.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

const hex = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const record: fc.Arbitrary<BlobRecord> = fc.oneof(
  fc.record(
    {
      references: fc.nat(2 ** 31 - 1),
      sizeBytes: fc.nat(2 ** 31 - 1),
      protection: fc.constant('plain' as const),
      keyId: fc.constant(''),
      place: fc.constantFrom('inline' as const, 'file' as const),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      references: fc.nat(2 ** 31 - 1),
      sizeBytes: fc.integer({ min: 0, max: 2 ** 47 }),
      protection: fc.constant('secret' as const),
      keyId: hex,
      place: fc.constantFrom('inline' as const, 'file' as const),
    },
    { noNullPrototype: true },
  ),
);

test('records read back as they were written', () => {
  fc.assert(
    fc.property(record, (value) => assert.deepEqual(blobRecordValue.decode(blobRecordValue.encode(value)), value)),
  );
});

test('the last reference takes the content along and lists a file as garbage', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const records = new BlobRecords(store);
  const [small, large] = [plainDigest(Buffer.from('small')), plainDigest(Buffer.from('large'))];
  const countDown = (digest: typeof small): void => {
    const found = records.get(digest);
    assert(found !== undefined);
    records.countDown(digest, found);
  };
  store.transactBuffered(() => {
    records.insert(small, { sizeBytes: 5, protection: 'plain', keyId: '', place: 'inline' }, Buffer.from('small'));
    records.insert(large, { sizeBytes: 7, protection: 'plain', keyId: '', place: 'file' }, undefined);
    const found = records.get(small);
    assert(found !== undefined);
    records.countUp(small, found);
    assert.deepEqual(records.statistics(), { blobs: 2, sizeBytes: 12 });
    countDown(small);
    assert.equal(records.get(small)?.references, 1);
    countDown(small);
    countDown(large);
  });
  assert.equal(records.get(small), undefined);
  assert.equal(records.content(small), undefined);
  assert.deepEqual(
    records.garbage().map(({ digest }) => digest),
    [large],
  );
  assert.deepEqual(records.statistics(), { blobs: 0, sizeBytes: 0 });
});

test('a stamp of garbage is good for one removal, and not after the blob lived and died again', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const records = new BlobRecords(store);
  const digest = plainDigest(Buffer.from('x'));
  const listing = (): Uint8Array => {
    store.transactBuffered(() => records.markGarbage(digest));
    const [entry] = records.garbage();
    assert(entry !== undefined);
    return entry.stamp;
  };
  const remove = (stamp: Uint8Array): boolean => store.transactBuffered(() => records.removeGarbage(digest, stamp));
  const first = listing();
  const second = listing();
  assert.equal(remove(first), false);
  assert.equal(remove(second), true);
  assert.equal(remove(second), false);
});
