import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BlobFiles, type WriteStep } from '../../src/store/blob-files.ts';
import { plainDigest } from '../../src/store/digest.ts';
import { filesBelow, makeStateDirectory } from './state-directory.ts';

function makeFiles(
  t: TestContext,
  onStep: (step: WriteStep) => void = () => undefined,
): { files: BlobFiles; stateDir: string } {
  const stateDir = makeStateDirectory(t);
  const files = new BlobFiles(stateDir, onStep);
  t.after(() => files.close());
  return { files, stateDir };
}

test('files are named by digest in two levels, private, and read at any place', async (t) => {
  const { files, stateDir } = makeFiles(t);
  const content = randomBytes(100_000);
  const digest = plainDigest(content);
  const name = digest.toString('hex');
  assert.equal(files.has(digest, content.length), false);
  await files.write(digest, content);
  assert.deepEqual(filesBelow(join(stateDir, 'blobs')), [join(stateDir, 'blobs', name.slice(0, 2), name.slice(2))]);
  assert.equal(statSync(files.path(digest)).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(files.path(digest))).mode & 0o777, 0o700);
  assert.equal(files.has(digest, content.length), true);
  assert.equal(files.has(digest, content.length + 1), false);
  assert.deepEqual(await files.read(digest, content.length, 99_990, 10), content.subarray(99_990));
  assert.deepEqual(await files.read(digest, content.length, 0, 100_000), content);
});

test('the steps of a write come in the order that makes a name mean complete content', async (t) => {
  const steps: WriteStep[] = [];
  const { files } = makeFiles(t, (step) => steps.push(step));
  await files.write(plainDigest(Buffer.from('a')), Buffer.from('a'));
  assert.deepEqual(steps, ['temporary-created', 'temporary-written', 'temporary-flushed', 'renamed', 'folder-flushed']);
});

test('a missing or cut file is CORRUPT with a remedy, also while it is open', async (t) => {
  const { files } = makeFiles(t);
  const content = randomBytes(50_000);
  const digest = plainDigest(content);
  const isDamaged = (error: { code?: string; remedy?: string }): boolean =>
    error.code === 'CORRUPT' && error.remedy !== undefined;
  await assert.rejects(files.read(digest, content.length, 0, 10), isDamaged);
  await files.write(digest, content);
  await assert.rejects(files.read(digest, content.length + 1, 0, 10), isDamaged);
  await files.read(digest, content.length, 0, 10);
  truncateSync(files.path(digest), 100);
  await assert.rejects(files.read(digest, content.length, 0, content.length), isDamaged);
  await files.write(digest, content);
  assert.deepEqual(await files.read(digest, content.length, 0, content.length), content);
  unlinkSync(files.path(digest));
  files.forget(digest);
  await assert.rejects(files.read(digest, content.length, 0, 10), isDamaged);
});

test('a write that fails leaves no unfinished file', async (t) => {
  const { files, stateDir } = makeFiles(t, (step) => {
    if (step === 'temporary-flushed') throw Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  });
  await assert.rejects(files.write(plainDigest(Buffer.from('a')), Buffer.from('a')), { code: 'NO_SPACE' });
  assert.deepEqual(filesBelow(join(stateDir, 'blobs')), []);
});

test('list yields blobs only; removeTemporaries and removeSync remove what they say', async (t) => {
  const { files, stateDir } = makeFiles(t);
  const digests = ['a', 'b', 'c'].map((text) => plainDigest(Buffer.from(text)));
  for (const digest of digests) await files.write(digest, Buffer.from('x'));
  writeFileSync(join(stateDir, 'blobs', 'tmp', 'unfinished'), 'x');
  writeFileSync(join(dirname(files.path(digests[0] ?? plainDigest(Buffer.alloc(0)))), 'README'), 'x');
  mkdirSync(join(stateDir, 'blobs', 'lost+found'));
  const listed: string[] = [];
  for await (const found of files.list()) listed.push(...found.map((digest) => digest.toString('hex')));
  assert.deepEqual(listed.sort(), digests.map((digest) => digest.toString('hex')).sort());
  assert.equal(await files.removeTemporaries(), 1);
  assert.deepEqual(readdirSync(join(stateDir, 'blobs', 'tmp')), []);
  for (const digest of [...digests, ...digests]) files.removeSync(digest);
  for await (const found of files.list()) assert.deepEqual(found, []);
});
