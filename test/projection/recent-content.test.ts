import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProjectionId } from '../../src/base/ids.ts';
import { limits } from '../../src/base/limits.ts';
import { RecentContent, type RecentFile } from '../../src/projection/recent-content.ts';
import { plainDigest } from '../../src/store/digest.ts';

const FIRST = 7 as ProjectionId;
const SECOND = 8 as ProjectionId;
const THIRD = 9 as ProjectionId;
const LARGE_BYTES = limits.recentContentBytesMin;

function files(contents: Readonly<Record<string, Buffer>>): Map<string, RecentFile> {
  return new Map(Object.entries(contents).map(([path, data]) => [path, { data, digest: plainDigest(data) }]));
}

const large = (text: string): Buffer => Buffer.alloc(LARGE_BYTES, text);

test('knows the digest of equal bytes at the same path of the same projection, and of nothing else', () => {
  const recent = new RecentContent();
  recent.remember(FIRST, files({ a: large('one'), b: Buffer.from('two') }));
  assert.deepEqual(recent.digestOf(FIRST, 'b', Buffer.from('two')), plainDigest(Buffer.from('two')));
  assert.deepEqual(recent.digestOf(FIRST, 'a', large('one')), plainDigest(large('one')));
  for (const [projection, path, data] of [
    [FIRST, 'b', 'twO'],
    [FIRST, 'b', 'two '],
    [FIRST, 'c', 'two'],
    [SECOND, 'b', 'two'],
  ] as const) {
    assert.equal(recent.digestOf(projection, path, Buffer.from(data)), undefined);
  }
});

test('a caller who changes his buffer after the write changes nothing here', () => {
  const recent = new RecentContent();
  const data = large('one');
  recent.remember(FIRST, files({ a: data }));
  data[5] = 0;
  assert.equal(recent.digestOf(FIRST, 'a', data), undefined);
  assert.deepEqual(recent.digestOf(FIRST, 'a', large('one')), plainDigest(large('one')));
});

test('the next write of a projection replaces what was known of it', () => {
  const recent = new RecentContent();
  recent.remember(FIRST, files({ a: large('one'), b: Buffer.from('two') }));
  recent.remember(FIRST, files({ a: large('one'), b: Buffer.from('three') }));
  assert.equal(recent.digestOf(FIRST, 'b', Buffer.from('two')), undefined);
  assert.ok(recent.digestOf(FIRST, 'b', Buffer.from('three')));
  assert.ok(recent.digestOf(FIRST, 'a', large('one')));
  recent.remember(FIRST, files({ a: Buffer.from('small') }));
  assert.equal(recent.digestOf(FIRST, 'a', Buffer.from('small')), undefined, 'hashing that takes no time');
});

test('what does not fit is forgotten, the projection written longest ago first', () => {
  const recent = new RecentContent(2 * LARGE_BYTES);
  recent.remember(FIRST, files({ a: large('one') }));
  recent.remember(SECOND, files({ a: large('one') }));
  recent.remember(FIRST, files({ a: large('two') }));
  recent.remember(THIRD, files({ a: large('one') }));
  assert.equal(recent.digestOf(SECOND, 'a', large('one')), undefined);
  assert.ok(recent.digestOf(FIRST, 'a', large('two')));
  assert.ok(recent.digestOf(THIRD, 'a', large('one')));
  recent.remember(SECOND, files({ a: large('one'), b: large('two'), c: large('three') }));
  assert.equal(recent.digestOf(SECOND, 'a', large('one')), undefined, 'alone it is too large');
  recent.forget(THIRD);
  assert.equal(recent.digestOf(THIRD, 'a', large('one')), undefined);
});
