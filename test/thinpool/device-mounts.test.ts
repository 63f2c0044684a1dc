import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { deviceIdOf, mountPointOf } from '../../src/thinpool/device-mounts.ts';
import { ScratchFileSystem, type ScratchType, skipUnlessScratch } from '../tools/scratch-file-system.ts';

/** Major and minor number of the block device below a mount. */
function deviceOf(path: string): [number, number] {
  const source = execFileSync('findmnt', ['-n', '-o', 'SOURCE', path], { encoding: 'utf8' }).trim();
  const [major, minor] = deviceIdOf(statSync(source, { bigint: true }).rdev)
    .split(':')
    .map(Number);
  return [major ?? 0, minor ?? 0];
}

for (const type of ['ext4', 'btrfs'] as const satisfies readonly ScratchType[]) {
  describe(`where a device is mounted: ${type}`, { skip: skipUnlessScratch(type) }, () => {
    let scratch: ScratchFileSystem;
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'dunnage-where-'));
      scratch = new ScratchFileSystem(type, 128);
    });
    after(() => {
      scratch.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it('is found by the number of the device', async () => {
      assert.equal(await mountPointOf(...deviceOf(scratch.path)), scratch.path);
    });

    it('is not a path that something else is mounted over', async () => {
      const device = deviceOf(scratch.path);
      const other = join(folder, 'other');
      mkdirSync(other);
      execFileSync('mount', ['--bind', scratch.path, other]);
      execFileSync('mount', ['-t', 'tmpfs', 'none', scratch.path]);
      try {
        assert.equal(await mountPointOf(...device), other);
      } finally {
        execFileSync('umount', [scratch.path]);
        execFileSync('umount', [other]);
      }
    });

    it('may be in another mount namespace only', async () => {
      const apart = new ScratchFileSystem(type, 128);
      const device = deviceOf(apart.path);
      // A container has its copy of the mount, which then goes away here.
      const words = ['--mount', '--propagation', 'private', 'sh', '-c', 'echo ready && read end'];
      const container = spawn('unshare', words);
      try {
        await once(container.stdout, 'data');
        // Its directory stays: removing it would end the mount everywhere.
        execFileSync('umount', [apart.path]);
        assert.match((await mountPointOf(...device)) ?? '', new RegExp(`^/proc/\\d+/root${apart.path}$`));
      } finally {
        container.stdin.end();
        await once(container, 'close');
        rmSync(dirname(apart.path), { recursive: true });
      }
      assert.equal(await mountPointOf(...device), undefined);
    });

    it('is nowhere for a device that nobody has mounted', async () => {
      assert.equal(await mountPointOf(7, 1_048_575), undefined);
    });
  });
}

it('device numbers are told as the mount table does', () => {
  for (const [number, text] of [
    [0x0700n, '7:0'],
    [0x0703n, '7:3'],
    [0x10_0705n, '7:261'],
    [0xfe00n, '254:0'],
  ] as const) {
    assert.equal(deviceIdOf(number), text);
  }
});
