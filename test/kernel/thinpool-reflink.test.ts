/** The driver `reflink` with file systems mounted on its devices, with others that use loop devices too, and with deaths in between. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../src/thinpool/reflink/reflink-driver.ts';
import { detachBelow } from '../thinpool/helpers/reflink-subject.ts';
import { skipUnlessScratch } from '../tools/scratch-file-system.ts';
import { until } from '../tools/until.ts';

const MEBIBYTE = 1024 * 1024;
const SIZE = 64 * MEBIBYTE;
const AT_ONCE = { deferred: false, force: false } as const;
const skip = skipUnlessScratch('xfs') || skipUnlessScratch('ext4');

describe('thin devices of a pool in a file', { skip }, () => {
  let folder: string;
  let options: ReflinkOptions;
  let driver: ReflinkDriver;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dunnage-thin-'));
    options = {
      poolName: 'p',
      place: { kind: 'file', path: join(folder, 'pool') },
      runtimeDir: join(folder, 'run'),
      log: silentLog,
    };
    await ReflinkDriver.create(options, 400 * MEBIBYTE);
    driver = new ReflinkDriver(options);
    await driver.open();
  });
  afterEach(async () => {
    await driver.close();
    for (const mounted of mounts()) execFileSync('umount', [mounted]);
    await detachBelow(folder);
    const pool = join(options.runtimeDir, 'pools/p/fs');
    if ((await findMount(pool)) !== undefined) execFileSync('umount', [pool]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** File systems on devices, the last mounted first. */
  function mounts(): string[] {
    const rows = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return rows
      .map((row) => row.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${folder}/mnt`))
      .reverse();
  }
  async function mounted(name: string, id: number): Promise<string> {
    await driver.createThin(id);
    await driver.activate(name, id, SIZE);
    execFileSync('mkfs.ext4', ['-q', driver.path(name)]);
    return mount(name);
  }
  function mount(name: string, ...flags: string[]): string {
    const path = join(folder, `mnt-${name}`);
    mkdirSync(path);
    execFileSync('mount', [...flags, driver.path(name), path]);
    return path;
  }

  it('a snapshot of a mounted file system is clean, and has every file that was flushed before', async () => {
    const origin = await mounted('origin', 1);
    const script = 'i=0; while :; do i=$((i + 1)); head -c 20000 /dev/urandom >f$i && sync f$i && echo $i; done';
    const writer = spawn('sh', ['-c', script], { cwd: origin, stdio: ['ignore', 'pipe', 'ignore'] });
    let flushed = 0;
    writer.stdout.setEncoding('utf8').on('data', (text: string) => {
      flushed = Number(text.trim().split('\n').at(-1));
    });
    try {
      await until('twenty files', () => flushed >= 20);
      const before = flushed;
      await driver.suspend('origin');
      await driver.createSnapshot(2, 1);
      await driver.resume('origin');
      const resumed = flushed;
      await until('more files', () => flushed > resumed + 5);
      await driver.activate('copy', 2, SIZE);
      // Clean: no journal has to be replayed.
      assert.match(
        execFileSync('dumpe2fs', ['-h', driver.path('copy')], { encoding: 'utf8', stdio: 'pipe' }),
        /state: +clean\n/,
      );
      execFileSync('e2fsck', ['-fn', driver.path('copy')], { stdio: 'pipe' });
      const copy = mount('copy', '-o', 'ro');
      for (let file = 1; file <= before; file += 1) {
        assert.ok(readFileSync(join(copy, `f${file}`)).equals(readFileSync(join(origin, `f${file}`))), `f${file}`);
      }
    } finally {
      writer.kill('SIGKILL');
      await once(writer, 'close');
    }
  });

  it('a device has the sectors that it was made with, whatever is copied from it', async () => {
    const sectors = (name: string): string => {
      const device = readlinkSync(driver.path(name)).replace('/dev/', '');
      return readFileSync(`/sys/block/${device}/queue/logical_block_size`, 'utf8').trim();
    };
    const origin = await mounted('origin', 1);
    writeFileSync(join(origin, 'file'), 'x');
    assert.equal(sectors('origin'), '4096');
    execFileSync('umount', [origin]);
    await driver.createSnapshot(2, 1);
    await driver.deactivate('origin', AT_ONCE);
    await driver.activate('origin', 1, SIZE);
    await driver.activate('copy', 2, SIZE);
    for (const name of ['origin', 'copy']) assert.equal(sectors(name), '4096');
    execFileSync('mount', [driver.path('origin'), origin]);
    assert.equal(readFileSync(join(mount('copy'), 'file'), 'utf8'), 'x');
    await assert.rejects(driver.resize('origin', SIZE + 512), { code: 'INVALID_ARGUMENT' });
  });

  it('writes into a suspended file system wait until it is resumed', async () => {
    const path = await mounted('a', 1);
    await driver.suspend('a');
    await driver.suspend('a');
    let isDone = false;
    const written = writeFile(join(path, 'late'), 'x').then(() => {
      isDone = true;
    });
    await sleep(150);
    assert.equal(isDone, false);
    await driver.resume('a');
    await written;
  });

  it('if the daemon is killed while a file system is suspended, it is thawed', async () => {
    const path = await mounted('a', 1);
    await driver.close();
    const { place, poolName, runtimeDir } = options;
    const program = fileURLToPath(new URL('programs/suspending-process.js', import.meta.url));
    const child = spawn(process.execPath, [program, JSON.stringify({ place, poolName, runtimeDir, device: 'a' })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    let isDone = false;
    const written = writeFile(join(path, 'late'), 'x').then(() => {
      isDone = true;
    });
    await sleep(150);
    assert.equal(isDone, false);
    child.kill('SIGKILL');
    await once(child, 'close');
    await written;
    await driver.open();
    assert.deepEqual(await driver.list(), [{ id: 1, name: 'a', isActive: true, isSuspended: false, sizeBytes: SIZE }]);
    await driver.resume('a');
  });

  it('a suspension that ends before its snapshot is complete makes no snapshot', async () => {
    const path = await mounted('a', 1);
    await driver.close();
    driver = new ReflinkDriver({ ...options, suspendMsMax: 50 });
    await driver.open();
    await driver.suspend('a');
    await writeFile(join(path, 'comes-through'), 'x');
    await assert.rejects(driver.createSnapshot(2, 1), { code: 'TIMED_OUT' });
    await driver.resume('a');
    assert.deepEqual(
      (await driver.list()).map(({ id }) => id),
      [1],
    );
  });

  it('a loop device that belongs to somebody else meanwhile is left alone', async () => {
    await driver.createThin(1);
    await driver.activate('a', 1, SIZE);
    const device = readlinkSync(driver.path('a'));
    const stranger = join(folder, 'stranger');
    writeFileSync(stranger, Buffer.alloc(MEBIBYTE, 7));
    execFileSync('losetup', ['--detach', device]);
    execFileSync('losetup', [device, stranger]);
    assert.equal(await driver.isActive('a'), false);
    assert.equal(existsSync(driver.path('a')), false);
    await assert.rejects(driver.suspend('a'), { code: 'NOT_FOUND' });
    await assert.rejects(driver.discard('a'), { code: 'NOT_FOUND' });
    await driver.deactivate('a', { deferred: true, force: true });
    await driver.activate('a', 1, SIZE);
    assert.notEqual(readlinkSync(driver.path('a')), device);
    assert.ok(readFileSync(device).equals(Buffer.alloc(MEBIBYTE, 7)));
  });

  it('the next process removes names that lead to nothing, and keeps those of active devices', async () => {
    for (const id of [1, 2]) {
      await driver.createThin(id);
      await driver.activate(`d${id}`, id, SIZE);
    }
    execFileSync('losetup', ['--detach', readlinkSync(driver.path('d1'))]);
    rmSync(driver.path('d2'));
    await driver.close();
    await driver.open();
    assert.equal(existsSync(driver.path('d1')), false);
    assert.equal(existsSync(driver.path('d2')), true);
  });

  it('an image that somebody has attached by himself is not attached again', async () => {
    await driver.createThin(1);
    await driver.activate('a', 1, SIZE);
    await driver.deactivate('a', AT_ONCE);
    const image = join(options.runtimeDir, 'pools/p/fs/devices/1.img');
    execFileSync('losetup', ['--read-only', '--find', image]);
    await assert.rejects(driver.activate('a', 1, SIZE), { code: 'BUSY' });
    await assert.rejects(driver.delete(1), { code: 'BUSY' });
    assert.deepEqual(await driver.list(), [{ id: 1, isActive: true, isSuspended: false, sizeBytes: SIZE }]);
  });

  it('[S243] an image that somebody has removed under its device keeps its id until the device is let go', async () => {
    await driver.createThin(1);
    await driver.activate('a', 1, SIZE);
    rmSync(join(options.runtimeDir, 'pools/p/fs/devices/1.img'));
    await assert.rejects(driver.delete(1), { code: 'BUSY' });
    assert.equal(await driver.isActive('a'), true);
    await driver.deactivate('a', AT_ONCE);
    assert.equal(await driver.isActive('a'), false);
    await assert.rejects(driver.delete(1), { code: 'NOT_FOUND' });
    await driver.destroy();
  });

  it('an attachment that a crash left without a name gets it, and is not made twice', async () => {
    await driver.createThin(1);
    await driver.activate('a', 1, SIZE);
    const device = readlinkSync(driver.path('a'));
    await driver.close();
    rmSync(driver.path('a'));
    rmSync(join(options.runtimeDir, 'pools/p/names/a'));
    await driver.open();
    assert.deepEqual(await driver.list(), [{ id: 1, isActive: true, isSuspended: false, sizeBytes: SIZE }]);
    await driver.activate('a', 1, SIZE);
    assert.equal(readlinkSync(driver.path('a')), device);
  });

  it('one process at a time has a pool open, and a pool out of service leaves nothing in the kernel', async () => {
    const second = new ReflinkDriver(options);
    await assert.rejects(second.open(), { code: 'ALREADY_RUNNING' });
    await assert.rejects(ReflinkDriver.create(options, SIZE), { code: 'INVALID_ARGUMENT' });
    await driver.createThin(1);
    await driver.destroy();
    assert.equal(execFileSync('losetup', ['--all'], { encoding: 'utf8' }).includes(folder), false);
    await second.open();
    assert.deepEqual(await second.list(), [{ id: 1, isActive: false, isSuspended: false }]);
    const other = new ReflinkDriver({ ...options, poolName: 'q' });
    await assert.rejects(other.open(), { code: 'BUSY' });
    await second.destroy();
    await assert.rejects(other.open(), { code: 'NOT_FOUND', message: /holds the pool "p", not "q"/ });
    assert.equal(await findMount(join(options.runtimeDir, 'pools/q/fs')), undefined);
  });
});
