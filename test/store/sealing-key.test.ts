import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { SealingKey } from '../../src/store/sealing-key.ts';
import { makeStateDirectory } from './state-directory.ts';

test('loadOrCreate makes a private file of 32 bytes and finds the same key again', (t) => {
  const directory = makeStateDirectory(t);
  const file = join(directory, 'key');
  const key = SealingKey.loadOrCreate(file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(SealingKey.fromBytes(readFileSync(file)).id, key.id);
  assert.equal(SealingKey.loadOrCreate(file).id, key.id);
  assert.deepEqual(readdirSync(directory), ['key']);
});

test('a shared key is the same key, and different keys have different ids and digests', (t) => {
  const directory = makeStateDirectory(t);
  const key = SealingKey.loadOrCreate(join(directory, 'a'));
  const other = SealingKey.loadOrCreate(join(directory, 'b'));
  const content = Buffer.from('content');
  const shared = key.share();
  const copy = SealingKey.ofShared(shared.descriptor);
  shared.release();
  assert.equal(copy.id, key.id);
  assert.deepEqual(copy.digestOf(content), key.digestOf(content));
  assert.deepEqual(copy.encryptionKey, key.encryptionKey);
  assert.notEqual(other.id, key.id);
  assert.notDeepEqual(other.digestOf(content), key.digestOf(content));
  assert.throws(() => SealingKey.fromBytes(new Uint8Array(31)), { code: 'INVALID_ARGUMENT' });
});

test('the keys, and the page of their file, are locked in memory', (t) => {
  const file = join(makeStateDirectory(t), 'key');
  const key = SealingKey.loadOrCreate(file);
  assert.equal(key.lockErrno, 0);
  assert.ok(key.isPinned);
  const locked = readFileSync('/proc/self/smaps', 'utf8')
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((mapping) => /^VmFlags:.* lo /m.test(mapping));
  assert.ok(
    locked.some((mapping) => mapping.includes('memfd:dunnage-key')),
    'the keys',
  );
  assert.ok(
    locked.some((mapping) => mapping.includes(file)),
    'their file',
  );
  assert.equal(key.encryptionKey.length, 32);
});

test('load takes a key that is there and makes none', (t) => {
  const directory = makeStateDirectory(t);
  const file = join(directory, 'operator.key');
  assert.throws(
    () => SealingKey.load(file),
    (error: { code?: string; remedy?: string }) =>
      error.code === 'NOT_FOUND' && error.remedy?.includes(`head -c 32 /dev/urandom > ${file}`) === true,
  );
  assert.deepEqual(readdirSync(directory), []);
  writeFileSync(file, Buffer.alloc(32, 7), { mode: 0o400 });
  assert.equal(SealingKey.load(file).id, SealingKey.fromBytes(Buffer.alloc(32, 7)).id);
});

test('a folder that does not exist is an error, not a key in memory', (t) => {
  assert.throws(() => SealingKey.loadOrCreate(join(makeStateDirectory(t), 'missing', 'key')), { code: 'NOT_FOUND' });
});

test('the key does not show in inspection or JSON', (t) => {
  const file = join(makeStateDirectory(t), 'key');
  const key = SealingKey.loadOrCreate(file);
  const secret = readFileSync(file);
  for (const text of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify({ key })]) {
    assert(!text.includes(secret.toString('hex')));
    assert(!text.includes(secret.toString('base64')));
    assert(!text.includes([...secret.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')));
  }
});
