import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createKeyFile, type KeyReader, readKeyFile } from '../../src/store/key-file.ts';
import { makeStateDirectory } from './state-directory.ts';

const uid = process.geteuid?.() ?? 0;
const reader: KeyReader = { uid, credentialsDirectory: undefined };
const asRoot = { skip: uid === 0 ? false : 'chown needs root' };

function keyFile(t: TestContext, mode = 0o600): string {
  const path = join(makeStateDirectory(t), 'key');
  writeFileSync(path, Buffer.alloc(32, 5), { mode });
  return path;
}

const read = (path: string, from: KeyReader = reader): Buffer => {
  const into = Buffer.alloc(64);
  assert.ok(readKeyFile(path, into, from));
  return into.subarray(0, 32);
};

const refusedWith = (remedy: string) => (error: { code?: string; remedy?: string }) => {
  assert.equal(error.code, 'PERMISSION_DENIED');
  assert.ok(error.remedy?.includes(remedy), error.remedy);
  return true;
};

test('a private file of 32 bytes is a key, also one its owner may only read', (t) => {
  for (const mode of [0o600, 0o400]) assert.deepEqual(read(keyFile(t, mode)), Buffer.alloc(32, 5));
});

test('no file is no key, and none is made', (t) => {
  const path = join(makeStateDirectory(t), 'key');
  assert.equal(readKeyFile(path, Buffer.alloc(64), reader), false);
  assert.equal(existsSync(path), false);
});

test('a key that others may read is refused with the command that mends it', (t) => {
  const path = keyFile(t);
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(path, mode);
    assert.throws(() => read(path), refusedWith(`chmod 600 ${path}`));
  }
});

test('a key of another user is refused with the command that mends it', asRoot, (t) => {
  const path = keyFile(t);
  chownSync(path, 1234, 0);
  assert.throws(() => read(path), refusedWith(`chown 0 ${path} && chmod 600 ${path}`));
  chownSync(path, 0, 0);
  assert.throws(() => read(path, { ...reader, uid: 1234 }), refusedWith(`chown 1234 ${path}`));
});

test("a credential of systemd may be root's and have an access list, which shows as group bits", asRoot, (t) => {
  const credentialsDirectory = makeStateDirectory(t);
  const path = join(credentialsDirectory, 'key');
  writeFileSync(path, Buffer.alloc(32, 5), { mode: 0o440 });
  assert.deepEqual(read(path, { uid: 1234, credentialsDirectory }), Buffer.alloc(32, 5));
  chmodSync(path, 0o444);
  assert.throws(() => read(path, { uid: 1234, credentialsDirectory }), { code: 'PERMISSION_DENIED' });
  const elsewhere = keyFile(t, 0o440);
  assert.throws(() => read(elsewhere, { uid, credentialsDirectory }), { code: 'PERMISSION_DENIED' });
});

test('a key of another size is refused, left alone and left out of memory', (t) => {
  const path = keyFile(t);
  for (const sizeBytes of [0, 31, 33, 100]) {
    writeFileSync(path, Buffer.alloc(sizeBytes, 5));
    const into = Buffer.alloc(64);
    assert.throws(() => readKeyFile(path, into, reader), { code: 'CORRUPT', message: /32 bytes, not/ });
    assert.equal(statSync(path).size, sizeBytes);
    assert.deepEqual(into.subarray(0, 33), Buffer.alloc(33));
  }
});

test('a key written as text is refused with the command that makes bytes of it', (t) => {
  const path = keyFile(t);
  const bytes = Buffer.alloc(32, 5);
  for (const [text, decoder] of [
    [`${bytes.toString('base64')}\n`, 'base64 -d'],
    [bytes.toString('hex'), 'xxd -r -p'],
  ] as const) {
    writeFileSync(path, text);
    assert.throws(
      () => read(path),
      ({ remedy }: { remedy?: string }) => remedy?.includes(`${decoder} ${path}`) === true,
    );
  }
});

test('what is no regular file is refused', (t) => {
  const path = join(makeStateDirectory(t), 'key');
  mkdirSync(path);
  assert.throws(() => read(path), { code: 'CORRUPT', message: /not a regular file/ });
});

test('createKeyFile makes one private file, once, and forgets what it wrote', (t) => {
  const directory = makeStateDirectory(t);
  const path = join(directory, 'key');
  const scratch = Buffer.alloc(64);
  assert.equal(createKeyFile(path, scratch), true);
  const made = readFileSync(path);
  assert.equal(createKeyFile(path, scratch), false);
  assert.deepEqual(readFileSync(path), made);
  assert.deepEqual([made.length, statSync(path).mode & 0o777, readdirSync(directory)], [32, 0o600, ['key']]);
  assert.notDeepEqual(made, Buffer.alloc(32));
  assert.deepEqual(scratch, Buffer.alloc(64));
});
