import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';
import { skipUnlessLoops } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;
const native = loadNative();
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-blocks-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('block devices', { skip: skipUnlessLoops() }, () => {
  it('get a node with exactly the bits that were asked for', () => {
    const path = join(folder, 'node');
    const umask = process.umask(0o077);
    try {
      native.makeDeviceNode(path, 0o660, 7, 300);
    } finally {
      process.umask(umask);
    }
    const { mode, rdev } = statSync(path);
    assert.equal(mode, 0o060_660);
    assert.deepEqual([(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)], [7, 300]);
    assert.throws(() => native.makeDeviceNode(path, 0o660, 7, 1), { code: 'EEXIST', syscall: 'mknod' });
  });

  it('tell their size, and give blocks back', async () => {
    const file = openSync(join(folder, 'image'), 'w+');
    ftruncateSync(file, 4 * MEBIBYTE);
    const { descriptor } = await native.attachLoop(file, 0, true);
    try {
      assert.equal(native.blockDeviceSize(descriptor), 4 * MEBIBYTE);
      writeSync(file, Buffer.alloc(MEBIBYTE, 'x'), 0, MEBIBYTE, MEBIBYTE);
      await native.discardBlocks(descriptor, MEBIBYTE, MEBIBYTE / 2);
      const content = Buffer.alloc(MEBIBYTE);
      readSync(file, content, 0, MEBIBYTE, MEBIBYTE);
      assert.ok(content.subarray(0, MEBIBYTE / 2).every((byte) => byte === 0));
      assert.ok(content.subarray(MEBIBYTE / 2).every((byte) => byte === 0x78));
    } finally {
      closeSync(descriptor);
      closeSync(file);
    }
  });

  it('are told from files', async () => {
    const file = openSync(join(folder, 'plain'), 'w+');
    try {
      assert.throws(() => native.blockDeviceSize(file), { code: 'ENOTTY', syscall: 'ioctl' });
      await assert.rejects(native.discardBlocks(file, 0, 512), { syscall: 'ioctl' });
    } finally {
      closeSync(file);
    }
  });
});
