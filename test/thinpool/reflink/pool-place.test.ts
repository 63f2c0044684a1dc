import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { LogFields } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { findMount } from '../../../src/mounts/mount-table.ts';
import { loadNative } from '../../../src/native/load.ts';
import {
  assertSharesBlocks,
  awaitUnused,
  formatPool,
  mountPlace,
  type PoolPlace,
  unmountPlace,
} from '../../../src/thinpool/reflink/pool-place.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;
const SIZE = 320 * MEBIBYTE;

describe('the place of a pool', { skip: skipUnlessScratch('xfs') || skipUnlessScratch('ext4') }, () => {
  let folder: string;
  let mountPoint: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-place-')));
    mountPoint = join(folder, 'run/fs');
  });
  afterEach(async () => {
    if ((await findMount(mountPoint)) !== undefined) execFileSync('umount', [mountPoint]);
    rmSync(folder, { recursive: true, force: true });
  });
  const file = (): PoolPlace => ({ kind: 'file', path: join(folder, 'pool') });
  async function loopsOf(path: string): Promise<number> {
    const rows = await loadNative().listLoops();
    return rows.filter(({ backingFile }) => backingFile === path).length;
  }

  it('a file is allocated whole, mounted privately with a warning, and gone from the kernel when it is unmounted', async () => {
    await formatPool(file(), SIZE);
    const { size, blocks } = statSync(file().path);
    assert.equal(size, SIZE);
    assert.ok(blocks * 512 >= SIZE * 0.99, 'making the file system has given nothing back');
    const warnings: LogFields[] = [];
    const log = { ...silentLog, warn: (fields: LogFields) => warnings.push(fields) };
    const mounted = await mountPlace(file(), mountPoint, log);
    assert.deepEqual(mounted, { path: mountPoint, isOwnFileSystem: true, isMountedNow: true });
    assert.deepEqual(warnings, [{ file: file().path }]);
    await assertSharesBlocks(mountPoint);
    const row = await findMount(mountPoint);
    assert.equal(row?.sharedGroup, undefined);
    for (const option of ['nodev', 'nosuid', 'noexec', 'noatime']) assert.ok(row?.options.includes(option), option);
    assert.equal(await loopsOf(file().path), 1);
    assert.deepEqual(await mountPlace(file(), mountPoint, silentLog), { ...mounted, isMountedNow: false });
    assert.equal(await loopsOf(file().path), 1);
    unmountPlace(file(), mountPoint);
    await awaitUnused(file());
    assert.equal(await loopsOf(file().path), 0);
  });

  it('what another mount namespace still has mounted is in use', async () => {
    await formatPool(file(), SIZE);
    await mountPlace(file(), mountPoint, silentLog);
    const other = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', 'echo && exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(other.stdout, 'data');
      unmountPlace(file(), mountPoint);
      await assert.rejects(awaitUnused(file()), {
        code: 'BUSY',
        message: /loop\d+ is attached to it/,
        remedy: /mountinfo/,
      });
      await assert.rejects(mountPlace(file(), mountPoint, silentLog), { code: 'BUSY' });
    } finally {
      other.stdin.end();
      await once(other, 'close');
    }
    await mountPlace(file(), mountPoint, silentLog);
    unmountPlace(file(), mountPoint);
  });

  it('a file that exists is not formatted, and one that cannot be made leaves nothing', async () => {
    writeFileSync(file().path, 'precious');
    await assert.rejects(formatPool(file(), SIZE), { code: 'ALREADY_EXISTS' });
    assert.equal(statSync(file().path).size, 8);
    rmSync(file().path);
    await assert.rejects(formatPool(file(), MEBIBYTE), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(formatPool(file()), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(formatPool(file(), 2 ** 50), { code: /^(?:NO_SPACE|IO)$/ });
    assert.equal(existsSync(`${file().path}.new`) || existsSync(file().path), false);
  });

  it('a file is made beside what others have there, and is for its owner alone', async () => {
    const others = `${file().path}.new`;
    writeFileSync(others, 'precious', { mode: 0o644 });
    await formatPool(file(), SIZE);
    assert.equal(readFileSync(others, 'utf8'), 'precious');
    assert.equal(statSync(file().path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder).sort(), ['pool', 'pool.new']);
  });

  it('a file is made once, whoever wants it at the same time', async () => {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => formatPool(file(), SIZE)));
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    assert.deepEqual(failures, ['ALREADY_EXISTS', 'ALREADY_EXISTS']);
    await mountPlace(file(), mountPoint, silentLog);
  });

  it('a device that holds a file system is not formatted', async () => {
    const image = join(folder, 'image');
    await formatPool({ kind: 'file', path: image }, SIZE);
    const device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
    try {
      const place: PoolPlace = { kind: 'device', path: device };
      await assert.rejects(formatPool(place), { code: 'IO', message: /appears to contain an existing filesystem/ });
      assert.equal((await mountPlace(place, mountPoint, silentLog)).isOwnFileSystem, true);
      unmountPlace(place, mountPoint);
    } finally {
      execFileSync('losetup', ['--detach', device]);
    }
  });

  it('what is no file system cannot be mounted, and nothing is left attached', async () => {
    writeFileSync(file().path, Buffer.alloc(MEBIBYTE));
    await assert.rejects(mountPlace(file(), mountPoint, silentLog), { code: 'IO', message: /mount .* failed/ });
    assert.equal(await loopsOf(file().path), 0);
    const missing: PoolPlace = { kind: 'file', path: join(folder, 'missing') };
    await assert.rejects(mountPlace(missing, mountPoint, silentLog), { code: 'NOT_FOUND' });
  });

  it('a directory is taken as it is; only the root of a file system is one of its own', async () => {
    const scratch = new ScratchFileSystem('xfs');
    try {
      const inside = join(scratch.path, 'inside');
      mkdirSync(inside);
      const link = join(folder, 'link');
      symlinkSync(scratch.path, link);
      const place = (path: string): PoolPlace => ({ kind: 'directory', path });
      const real = realpathSync(scratch.path);
      assert.deepEqual(await mountPlace(place(link), mountPoint, silentLog), {
        path: real,
        isOwnFileSystem: true,
        isMountedNow: false,
      });
      assert.equal((await mountPlace(place(inside), mountPoint, silentLog)).isOwnFileSystem, false);
      unmountPlace(place(link), mountPoint);
      assert.ok((await findMount(real)) !== undefined);
    } finally {
      scratch.close();
    }
    await assert.rejects(mountPlace({ kind: 'directory', path: join(folder, 'none') }, mountPoint, silentLog), {
      code: 'NOT_FOUND',
    });
  });

  it('a file system that shares no blocks is refused, with what is needed', async () => {
    const scratch = new ScratchFileSystem('ext4', 16);
    try {
      await assert.rejects(assertSharesBlocks(scratch.path), { code: 'INVALID_ARGUMENT', remedy: /mkfs\.xfs/ });
    } finally {
      scratch.close();
    }
  });
});
