import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
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
  assert.deepEqual(Buffer.from(key.toBytes()), readFileSync(file));
  assert.equal(key.toBytes().length, 32);
  assert.equal(SealingKey.loadOrCreate(file).id, key.id);
  assert.deepEqual(readdirSync(directory), ['key']);
});

test('fromBytes gives the same key in another thread, and different keys have different ids and digests', (t) => {
  const directory = makeStateDirectory(t);
  const key = SealingKey.loadOrCreate(join(directory, 'a'));
  const other = SealingKey.loadOrCreate(join(directory, 'b'));
  const content = Buffer.from('content');
  const copy = SealingKey.fromBytes(key.toBytes());
  assert.equal(copy.id, key.id);
  assert.deepEqual(copy.digestOf(content), key.digestOf(content));
  assert.deepEqual(copy.encryptionKey, key.encryptionKey);
  assert.notEqual(other.id, key.id);
  assert.notDeepEqual(other.digestOf(content), key.digestOf(content));
  assert.throws(() => SealingKey.fromBytes(new Uint8Array(31)), { code: 'INVALID_ARGUMENT' });
});

test('a key that others may read is refused with the command that mends it', (t) => {
  const file = join(makeStateDirectory(t), 'key');
  SealingKey.loadOrCreate(file);
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(file, mode);
    assert.throws(
      () => SealingKey.loadOrCreate(file),
      (error: { code?: string; remedy?: string }) =>
        error.code === 'PERMISSION_DENIED' && error.remedy?.includes(`chmod 600 ${file}`) === true,
    );
  }
});

test('a key of another size is refused and left alone', (t) => {
  const file = join(makeStateDirectory(t), 'key');
  for (const sizeBytes of [0, 31, 33, 100]) {
    writeFileSync(file, Buffer.alloc(sizeBytes), { mode: 0o600 });
    assert.throws(() => SealingKey.loadOrCreate(file), { code: 'CORRUPT' });
    assert.equal(statSync(file).size, sizeBytes);
  }
});

test('a folder that does not exist is an error, not a key in memory', (t) => {
  assert.throws(() => SealingKey.loadOrCreate(join(makeStateDirectory(t), 'missing', 'key')), { code: 'NOT_FOUND' });
});

test('the key does not show in inspection or JSON', (t) => {
  const key = SealingKey.loadOrCreate(join(makeStateDirectory(t), 'key'));
  const secret = Buffer.from(key.toBytes());
  for (const text of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify({ key })]) {
    assert(!text.includes(secret.toString('hex')));
    assert(!text.includes(secret.toString('base64')));
    assert(!text.includes([...secret.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')));
  }
});
