/** The life of thin pools in a daemon: made, used, killed, rebooted, broken, deleted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readlink, rename, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../tools/scratch-file-system.ts';
import {
  attachedBelow,
  inDevices,
  poolManifest,
  readBlock,
  rebootWithPools,
  writeBlock,
} from './helpers/pool-daemon.ts';
import { killDaemon, startDaemon } from './helpers/projected.ts';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;
const IN_FILE = { file: { size: '320MiB' }, deviceSize: '32MiB' };

describe('a thin pool of the daemon', { skip: skipUnlessScratch('xfs') }, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await startDaemon();
  });
  afterEach(async () => {
    for (const { name } of await daemon.client.pools.listPools()) await daemon.client.pools.deletePool(name, true);
    assert.deepEqual(await attachedBelow(daemon), []);
  });
  after(() => daemon.stop());
  const pools = () => daemon.client.pools;
  const device = (name: string) => join(daemon.runtimeDir, 'dev', name);

  it('[S230] is in service when apply returns, and its devices are in devices/ while they are active', async () => {
    const [result] = await daemon.client.apply(poolManifest('fast', IN_FILE));
    assert.deepEqual([result?.kind, result?.name, result?.action], ['Pool', 'fast', 'created']);
    assert.match(result?.warnings?.join() ?? '', /good for development/);
    const made = await pools().putPoolDevice('fast', 'db', {});
    assert.deepEqual(
      [made.state, made.active, made.path, made.sizeBytes],
      [...['Activated', true, device('fast-db')], 32 * MEBIBYTE],
    );
    assert.deepEqual(await readdir(inDevices(daemon)), ['fast-db']);
    assert.equal(await readlink(inDevices(daemon, 'fast-db')), device('fast-db'));
    writeBlock(inDevices(daemon, 'fast-db'), 'one');
    const copy = await pools().putPoolDevice('fast', 'copy', { snapshotOf: 'db' });
    assert.equal(copy.snapshotOf, 'db');
    writeBlock(inDevices(daemon, 'fast-db'), 'two');
    assert.deepEqual([readBlock(device('fast-copy'), 3), readBlock(device('fast-db'), 3)], ['one', 'two']);
    const status = await pools().poolStatus('fast');
    assert.deepEqual([status.state, status.driver, status.promisedBytes], ['ready', 'reflink', 64 * MEBIBYTE]);
    assert.ok(
      status.devices.every(({ ownBytes }) => ownBytes > 0),
      JSON.stringify(status.devices),
    );
    assert.ok(status.promisableBytes > 0 && status.data.totalBytes > status.data.usedBytes);
    await pools().deactivatePoolDevice('fast', 'copy');
    assert.deepEqual(await readdir(inDevices(daemon)), ['fast-db']);
    assert.equal(existsSync(inDevices(daemon, 'fast-copy')), false);
    assert.equal((await daemon.client.apply(poolManifest('fast', IN_FILE)))[0]?.action, 'unchanged');
  });

  it('[S231] goes on when the daemon is killed: who uses a device notices nothing', async (t) => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    await pools().putPoolDevice('fast', 'db', {});
    const place = join(daemon.folder, 'mounted');
    await mkdir(place, { recursive: true });
    await run('mkfs.ext4', ['-q', device('fast-db')]);
    await run('mount', [device('fast-db'), place]);
    t.after(() => run('umount', [place]).catch(() => undefined));
    await writeFile(join(place, 'before'), 'x');
    await killDaemon(daemon);
    await writeFile(join(place, 'meanwhile'), 'y');
    assert.deepEqual(await readdir(join(daemon.runtimeDir, 'dev')), ['fast-db']);
    await daemon.up();
    await writeFile(join(place, 'after'), 'z');
    assert.equal(await readlink(inDevices(daemon, 'fast-db')), device('fast-db'));
    const status = await pools().poolStatus('fast');
    assert.deepEqual([status.state, status.devices[0]?.active], ['ready', true]);
    const isInUse = { code: 'BUSY', message: /db of pool fast is in use: mounted at .*\/mounted/ };
    await assert.rejects(pools().deletePool('fast', true), isInUse);
    const still = await pools().poolStatus('fast');
    assert.deepEqual([still.state, still.devices[0]?.active], ['ready', true]);
    await run('umount', [place]);
  });

  it('[S232] has after a reboot the devices that were active before, with what was flushed', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    await pools().putPoolDevice('fast', 'db', {});
    await pools().putPoolDevice('fast', 'resting', {});
    await pools().deactivatePoolDevice('fast', 'resting');
    writeBlock(device('fast-db'), 'kept');
    await rebootWithPools(daemon);
    await daemon.up();
    assert.deepEqual(await readdir(inDevices(daemon)), ['fast-db']);
    assert.equal(readBlock(inDevices(daemon, 'fast-db'), 4), 'kept');
    const { devices } = await pools().poolStatus('fast');
    assert.deepEqual(
      devices.map(({ name, state, active }) => [name, state, active]),
      [
        ['db', 'Activated', true],
        ['resting', 'Deactivated', false],
      ],
    );
  });

  it('[S233] leaves nothing active that nobody uses after down, and the next up brings it back', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    await pools().putPoolDevice('fast', 'db', {});
    writeBlock(device('fast-db'), 'kept');
    await daemon.dunnage('down');
    assert.deepEqual(await attachedBelow(daemon), []);
    await daemon.up();
    assert.equal(readBlock(inDevices(daemon, 'fast-db'), 4), 'kept');
  });

  it('[S233] lets a device that is mounted be after down', async (t) => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    for (const name of ['used', 'idle']) await pools().putPoolDevice('fast', name, {});
    const place = join(daemon.folder, 'in-use');
    await mkdir(place, { recursive: true });
    await run('mkfs.ext4', ['-q', device('fast-used')]);
    await run('mount', [device('fast-used'), place]);
    t.after(() => run('umount', [place]).catch(() => undefined));
    const told = await daemon.dunnage('down');
    assert.match(told, /is unmounted; in use, and still active: \S+\/dev\/fast-used$/m);
    await writeFile(join(place, 'meanwhile'), 'y');
    assert.deepEqual(await readdir(join(daemon.runtimeDir, 'dev')), ['fast-used']);
    await daemon.up();
    await writeFile(join(place, 'after'), 'z');
    assert.deepEqual(await readdir(inDevices(daemon)), ['fast-idle', 'fast-used']);
    assert.equal((await pools().checkPool('fast')).outcome, 'clean');
    await run('umount', [place]);
  });

  it('[S234] that is broken stops nobody: the start goes on, says why, and takes it in again when it is mended', async () => {
    await daemon.client.apply(poolManifest('good', IN_FILE));
    await daemon.client.apply(poolManifest('bad', IN_FILE));
    await pools().putPoolDevice('bad', 'db', {});
    const image = join(daemon.stateDir, 'pools/bad.img');
    await daemon.dunnage('down');
    await rename(image, `${image}.gone`);
    await daemon.up();
    const [bad, good] = await pools().listPools();
    assert.deepEqual([bad?.state, good?.state], ['broken', 'ready']);
    assert.match(bad?.reason ?? '', /bad\.img/);
    assert.match((await daemon.client.status()).warnings.join('\n'), /pool bad is broken: .*bad\.img/);
    await assert.rejects(pools().putPoolDevice('bad', 'more', {}), { code: 'BUSY', message: /not in service/ });
    await assert.rejects(pools().deletePool('bad', false), { code: 'BUSY', message: /has devices: db/ });
    await rename(`${image}.gone`, image);
    const { outcome, repaired } = await pools().repairPool('bad', {});
    assert.deepEqual([outcome, repaired[0]?.action], ['repaired', 'it is in service again']);
    assert.equal((await pools().poolStatus('bad')).devices[0]?.active, true);
  });

  it('[S235] is not deleted with its devices unless that is said, and leaves nothing then', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    await pools().putPoolDevice('fast', 'db', {});
    await assert.rejects(pools().deletePool('fast', false), { code: 'BUSY', message: /fast has devices: db/ });
    assert.deepEqual(await pools().deletePool('fast', true), { name: 'fast', devices: ['db'], left: '' });
    assert.deepEqual(await readdir(join(daemon.stateDir, 'pools')), []);
    assert.deepEqual(await readdir(join(daemon.runtimeDir, 'pools')), []);
    await assert.rejects(pools().getPool('fast'), { code: 'NOT_FOUND' });
  });

  it('[S235] leaves a directory that was given without its files', async () => {
    const scratch = new ScratchFileSystem('xfs');
    try {
      await writeFile(join(scratch.path, 'mine'), 'x');
      await daemon.client.apply(poolManifest('dir', { directory: scratch.path, deviceSize: '16MiB' }));
      await pools().putPoolDevice('dir', 'a', {});
      const { left, devices } = await pools().deletePool('dir', true);
      assert.deepEqual([left, devices], [`${scratch.path} stays`, ['a']]);
      assert.deepEqual(await readdir(scratch.path), ['mine']);
    } finally {
      for (const { name } of await pools().listPools()) await pools().deletePool(name, true);
      scratch.close();
    }
  });

  it('[S235] [S236] formats a block device only if that is said and it is empty, and leaves it formatted', async () => {
    const file = join(daemon.folder, 'disk');
    await run('truncate', ['--size', '320M', file]);
    const path = (await run('losetup', ['--find', '--show', file])).stdout.trim();
    try {
      const manifest = (format: boolean): string => poolManifest('disk', { device: path, format, deviceSize: '16MiB' });
      await assert.rejects(daemon.client.apply(manifest(false)), {
        code: 'NOT_FOUND',
        message: /holds no file system/,
      });
      await run('mkfs.ext4', ['-q', path]);
      for (const format of [false, true]) {
        await assert.rejects(daemon.client.apply(manifest(format)), { code: 'ALREADY_EXISTS', message: /ext4/ });
      }
      assert.match((await run('wipefs', [path])).stdout, /ext4/);
      await run('wipefs', ['--all', path]);
      await daemon.client.apply(manifest(true));
      await pools().putPoolDevice('disk', 'a', {});
      assert.equal((await pools().deletePool('disk', true)).left, `${path} stays formatted`);
      await assert.rejects(daemon.client.apply(manifest(true)), { code: 'ALREADY_EXISTS', message: /a file system/ });
      await daemon.client.apply(manifest(false));
      assert.deepEqual((await pools().poolStatus('disk')).devices, []);
    } finally {
      for (const { name } of await pools().listPools()) await pools().deletePool(name, true);
      await run('losetup', ['--detach', path]);
    }
  });

  it('[S238] grows under its devices when its file shall be larger, and never shrinks', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    await pools().putPoolDevice('fast', 'db', {});
    writeBlock(device('fast-db'), 'kept');
    const before = (await pools().poolStatus('fast')).data.totalBytes;
    const larger = { ...IN_FILE, file: { size: '400MiB' } };
    const [result] = await daemon.client.apply(poolManifest('fast', larger));
    assert.equal(result?.action, 'configured');
    const grown = await pools().poolStatus('fast');
    assert.ok(grown.data.totalBytes >= before + 64 * MEBIBYTE, `${before} -> ${grown.data.totalBytes}`);
    assert.deepEqual([grown.devices[0]?.active, readBlock(device('fast-db'), 4)], [true, 'kept']);
    await assert.rejects(daemon.client.apply(poolManifest('fast', IN_FILE)), { code: 'IMMUTABLE' });
    const huge = { ...IN_FILE, file: { size: '4PiB' } };
    await assert.rejects(daemon.client.apply(poolManifest('fast', huge)));
    const still = await pools().poolStatus('fast');
    assert.deepEqual([still.state, still.data.totalBytes], ['ready', grown.data.totalBytes]);
    assert.deepEqual((await pools().getPool('fast')).manifest.spec['file'], { size: '400MiB' });
  });

  it('[S238] promises more than it has only while that is allowed', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    const tooMuch = { sizeBytes: 1024 * MEBIBYTE };
    await assert.rejects(pools().putPoolDevice('fast', 'big', tooMuch), { code: 'NO_SPACE' });
    const guard = join(daemon.runtimeDir, 'pools/fast/guard.sock');
    const overcommit = { allowed: true, highWaterMark: '70%' };
    await daemon.client.apply(poolManifest('fast', { ...IN_FILE, overcommit }));
    assert.deepEqual((await pools().poolStatus('fast')).overcommit, { allowed: true, highWaterMark: 70 });
    assert.ok(existsSync(guard));
    await pools().putPoolDevice('fast', 'big', tooMuch);
    await daemon.client.apply(poolManifest('fast', IN_FILE));
    assert.equal(existsSync(guard), false);
    assert.match((await pools().poolStatus('fast')).warnings.join(), /promise/);
    await assert.rejects(pools().putPoolDevice('fast', 'more', {}), { code: 'NO_SPACE' });
  });

  it('[S236] is made by one of those who want it in one place, and by nobody where another pool lies', async () => {
    const path = join(daemon.folder, 'shared.img');
    const spec = { file: { path, size: '320MiB' }, deviceSize: '16MiB' };
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c'].map((name) => daemon.client.apply(poolManifest(name, spec))),
    );
    const [winner, ...more] = await pools().listPools();
    assert.deepEqual([outcomes.filter(({ status }) => status === 'fulfilled').length, more], [1, []]);
    assert.equal(winner?.state, 'ready');
    await pools().putPoolDevice(winner?.name ?? '', 'db', {});
    await run('ln', ['-s', daemon.folder, join(daemon.folder, 'alias')]);
    const aliased = { ...spec, file: { path: join(daemon.folder, 'alias/shared.img'), size: '320MiB' } };
    const taken = { code: 'ALREADY_EXISTS', message: new RegExp(`belongs to the pool ${winner?.name}`) };
    await assert.rejects(daemon.client.apply(poolManifest('d', aliased)), taken);
    assert.ok(existsSync(path));
  });

  it('[S236] takes no file system that somebody has mounted, and no name that somebody uses there', async () => {
    const scratch = new ScratchFileSystem('xfs');
    try {
      const { stdout } = await run('findmnt', ['-no', 'SOURCE', scratch.path]);
      await assert.rejects(daemon.client.apply(poolManifest('x', { device: stdout.trim() })), { code: 'BUSY' });
      await writeFile(join(scratch.path, 'transaction'), 'mine');
      await assert.rejects(daemon.client.apply(poolManifest('x', { directory: scratch.path })), {
        code: 'ALREADY_EXISTS',
        message: /something named "transaction"/,
      });
      assert.deepEqual(await readdir(scratch.path), ['transaction']);
      await unlink(join(scratch.path, 'transaction'));
      await daemon.client.apply(poolManifest('x', { directory: scratch.path }));
      await writeFile(join(scratch.path, 'devices/mine'), 'mine');
      await pools().deletePool('x', true);
      assert.deepEqual(await readdir(scratch.path, { recursive: true }), ['devices', 'devices/mine']);
    } finally {
      scratch.close();
    }
  });

  it('promises more than it has only on a file system that holds nothing else', async () => {
    const scratch = new ScratchFileSystem('xfs');
    const overcommit = { overcommit: { allowed: true } };
    const refusal = { code: 'INVALID_ARGUMENT', message: /holds something else too: logs/ };
    try {
      await mkdir(join(scratch.path, 'logs'));
      await assert.rejects(daemon.client.apply(poolManifest('x', { directory: scratch.path, ...overcommit })), refusal);
      assert.deepEqual(await pools().listPools(), []);
      await daemon.client.apply(poolManifest('x', { directory: scratch.path }));
      await assert.rejects(daemon.client.apply(poolManifest('x', { directory: scratch.path, ...overcommit })), refusal);
      assert.deepEqual((await pools().poolStatus('x')).overcommit.allowed, false);
      await rmdir(join(scratch.path, 'logs'));
      await daemon.client.apply(poolManifest('x', { directory: scratch.path, ...overcommit }));
      await pools().deletePool('x', true);
    } finally {
      scratch.close();
    }
  });

  it('[S236] that cannot be made leaves nothing', async () => {
    const file = join(daemon.folder, 'taken');
    await writeFile(file, 'something');
    await assert.rejects(daemon.client.apply(poolManifest('x', { file: { path: file, size: '320MiB' } })), {
      code: 'ALREADY_EXISTS',
    });
    await assert.rejects(daemon.client.apply(poolManifest('x', { file: { size: '1MiB' } })), {
      code: 'INVALID_ARGUMENT',
    });
    await assert.rejects(daemon.client.apply(poolManifest('x', { directory: daemon.folder })), {
      message: /cannot share blocks/,
    });
    assert.deepEqual(await pools().listPools(), []);
    assert.deepEqual(await readdir(join(daemon.stateDir, 'pools')).catch(() => []), []);
  });

  it('refuses a device whose name in devices/ another pool has', async () => {
    await daemon.client.apply(`${poolManifest('a', IN_FILE)}\n---\n${poolManifest('a-b', IN_FILE)}`);
    await pools().putPoolDevice('a', 'b-c', {});
    await assert.rejects(pools().putPoolDevice('a-b', 'c', {}), { code: 'ALREADY_EXISTS', message: /pool a has/ });
  });
});
