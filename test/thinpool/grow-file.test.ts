import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { loadNative } from '../../src/native/load.ts';
import { growFile } from '../../src/thinpool/grow-file.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../tools/scratch-file-system.ts';

const KIBIBYTE = 1024;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-grow-'));
  path = join(folder, 'pool');
  writeFileSync(path, Buffer.alloc(64 * KIBIBYTE, 1));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a file becomes longer, its space is taken, and what it held is there', async () => {
  await growFile(loadNative(), path, 1024 * KIBIBYTE);
  await growFile(loadNative(), path, 1024 * KIBIBYTE);
  const { size, blocks } = statSync(path);
  assert.deepEqual([size, blocks * 512 >= size], [1024 * KIBIBYTE, true]);
  const content = readFileSync(path);
  assert.ok(content.subarray(0, 64 * KIBIBYTE).every((byte) => byte === 1));
  assert.ok(content.subarray(64 * KIBIBYTE).every((byte) => byte === 0));
});

test('holes of a file that is long enough are filled', async () => {
  truncateSync(path, 256 * KIBIBYTE);
  await growFile(loadNative(), path, 256 * KIBIBYTE);
  const { size, blocks } = statSync(path);
  assert.deepEqual([size, blocks * 512 >= size], [256 * KIBIBYTE, true]);
});

test('it never becomes shorter, and one that is missing is not made', async () => {
  await assert.rejects(growFile(loadNative(), path, 32 * KIBIBYTE), {
    code: 'INVALID_ARGUMENT',
    message: /has 64 KiB: it cannot become 32 KiB/,
  });
  assert.equal(statSync(path).size, 64 * KIBIBYTE);
  await assert.rejects(growFile(loadNative(), join(folder, 'missing'), KIBIBYTE), { code: 'NOT_FOUND' });
});

test('without room for all of it the file is as it was', { skip: skipUnlessScratch('ext4') }, async () => {
  const scratch = new ScratchFileSystem('ext4', 16);
  try {
    const inside = join(scratch.path, 'pool');
    writeFileSync(inside, Buffer.alloc(64 * KIBIBYTE, 1));
    await assert.rejects(growFile(loadNative(), inside, 1024 * 1024 * KIBIBYTE), { code: 'NO_SPACE' });
    assert.deepEqual(readFileSync(inside), Buffer.alloc(64 * KIBIBYTE, 1));
  } finally {
    scratch.close();
  }
});
