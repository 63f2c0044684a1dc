import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { trimDevice } from '../../../src/thinpool/space/trim-device.ts';
import { formatFile, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;

describe('trimming a device', { skip: skipUnlessScratch('ext4') }, () => {
  it('gives back what was removed from the file system on it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dunnage-trim-'));
    const image = join(folder, 'image');
    formatFile('ext4', image, 64 * MEBIBYTE);
    const device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
    const mounted = mkdtempSync(join(folder, 'fs-'));
    try {
      assert.equal(await trimDevice(device), undefined);
      execFileSync('mount', [device, mounted]);
      const file = join(mounted, 'file');
      writeFileSync(file, randomBytes(16 * MEBIBYTE), { flush: true });
      execFileSync('sync', ['--file-system', mounted]);
      const full = statSync(image).blocks * 512;
      rmSync(file);
      execFileSync('sync', ['--file-system', mounted]);
      assert.ok(((await trimDevice(device)) ?? 0) >= 16 * MEBIBYTE);
      const after = statSync(image).blocks * 512;
      assert.ok(full - after >= 15 * MEBIBYTE, `${full} bytes before, ${after} after`);
    } finally {
      execFileSync('umount', [mounted]);
      execFileSync('losetup', ['--detach', device]);
      rmSync(folder, { recursive: true });
    }
  });

  it('a device that is not there is said to be missing', async () => {
    await assert.rejects(trimDevice('/no/such/device'), { code: 'NOT_FOUND' });
  });
});
