import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobPins } from '../../src/store/blob-pins.ts';
import { plainDigest } from '../../src/store/digest.ts';

test('a digest is pinned as long as one of its blobs is, and each blob counts once', () => {
  const pins = new BlobPins();
  const digest = plainDigest(Buffer.from('a'));
  const [first, second] = [{ digest }, { digest }];
  pins.add(first);
  pins.add(second);
  assert.equal(pins.remove(first), true);
  assert.equal(pins.remove(first), false);
  assert.equal(pins.has(first), false);
  assert.equal(pins.isPinned(digest), true);
  assert.equal(pins.isEmpty, false);
  assert.equal(pins.remove(second), true);
  assert.equal(pins.isPinned(digest), false);
  assert.equal(pins.isEmpty, true);
});

test('abandoned digests are taken once', () => {
  const pins = new BlobPins();
  const digest = plainDigest(Buffer.from('a'));
  pins.noteAbandoned(digest);
  pins.noteAbandoned(digest);
  assert.deepEqual(pins.takeAbandoned(), [digest]);
  assert.deepEqual(pins.takeAbandoned(), []);
});
