/** Pools of the device-mapper in a daemon, on files and on block devices. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';
import { attachedBelow, inDevices, poolManifest, readBlock, writeBlock } from './helpers/pool-daemon.ts';
import { killDaemon } from './helpers/projected.ts';

const MEBIBYTE = 1024 * 1024;
const IN_FILES = { dataFile: { size: '64MiB' }, deviceSize: '16MiB', lowWaterMark: '1MiB' };

describe('a pool of the device-mapper in a daemon', { skip: skipUnlessDeviceMapper() }, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await DaemonProcess.start(tmpdir());
  });
  afterEach(async () => {
    for (const { name } of await daemon.client.pools.listPools()) await daemon.client.pools.deletePool(name, true);
  });
  after(() => daemon.stop());
  const pools = () => daemon.client.pools;

  it('[S230] is in service when apply returns, with devices and snapshots', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILES));
    const made = await pools().putPoolDevice('fast', 'db', {});
    assert.deepEqual([made.active, made.path], [true, join(daemon.runtimeDir, 'dev/fast-db')]);
    assert.deepEqual(await readdir(inDevices(daemon)), ['fast-db']);
    writeBlock(inDevices(daemon, 'fast-db'), 'one');
    await pools().putPoolDevice('fast', 'copy', { snapshotOf: 'db' });
    writeBlock(inDevices(daemon, 'fast-db'), 'two');
    assert.equal(readBlock(inDevices(daemon, 'fast-copy'), 3), 'one');
    const status = await pools().poolStatus('fast');
    assert.deepEqual([status.driver, status.state, status.promisedBytes], ['devicemapper', 'ready', 32 * MEBIBYTE]);
    const { promisableBytes } = status;
    assert.ok(promisableBytes > 60 * MEBIBYTE && promisableBytes <= 64 * MEBIBYTE, String(promisableBytes));
    assert.ok(status.metadata.totalBytes > status.metadata.usedBytes);
    assert.ok(
      status.devices.every(({ ownBytes }) => ownBytes > 0),
      JSON.stringify(status.devices),
    );
  });

  it('[S231] [S233] goes on after a kill, and is back after down and up', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILES));
    await pools().putPoolDevice('fast', 'db', {});
    writeBlock(inDevices(daemon, 'fast-db'), 'kept');
    await killDaemon(daemon);
    assert.equal(readBlock(join(daemon.runtimeDir, 'dev/fast-db'), 4), 'kept');
    await daemon.up();
    assert.equal(readBlock(inDevices(daemon, 'fast-db'), 4), 'kept');
    await daemon.dunnage('down');
    assert.deepEqual(await attachedBelow(daemon), []);
    await daemon.up();
    assert.equal(readBlock(inDevices(daemon, 'fast-db'), 4), 'kept');
    assert.equal((await pools().poolStatus('fast')).state, 'ready');
  });

  it('[S235] leaves nothing of its files', async () => {
    await daemon.client.apply(poolManifest('fast', IN_FILES));
    await pools().putPoolDevice('fast', 'db', {});
    await assert.rejects(pools().deletePool('fast', false), { code: 'BUSY' });
    await pools().deletePool('fast', true);
    assert.deepEqual(await readdir(join(daemon.stateDir, 'pools')), []);
    assert.deepEqual(await attachedBelow(daemon), []);
  });

  it('[S236] is made on block devices that hold nothing if that is said, and only then', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dunnage-dm-'));
    const attached: string[] = [];
    t.after(async () => {
      for (const { name } of await pools().listPools()) await pools().deletePool(name, true);
      for (const device of attached) execFileSync('losetup', ['--detach', device]);
      rmSync(folder, { recursive: true, force: true });
    });
    const [dataDevice = '', metadataDevice = ''] = ['data', 'metadata'].map((name, index) => {
      execFileSync('truncate', ['--size', index === 0 ? '64M' : '4M', join(folder, name)]);
      const device = execFileSync('losetup', ['--find', '--show', join(folder, name)], { encoding: 'utf8' }).trim();
      attached.push(device);
      return device;
    });
    const spec = { dataDevice, metadataDevice, deviceSize: '16MiB' };
    await assert.rejects(daemon.client.apply(poolManifest('raw', spec)), {
      code: 'NOT_FOUND',
      message: /no thin pool/,
    });
    execFileSync('mkfs.ext4', ['-q', dataDevice]);
    const formatting = { ...spec, format: true };
    await assert.rejects(daemon.client.apply(poolManifest('raw', formatting)), {
      message: /holds something already: ext4/,
    });
    assert.deepEqual(await pools().listPools(), []);
    execFileSync('wipefs', ['--all', '--quiet', dataDevice]);
    await daemon.client.apply(poolManifest('raw', formatting));
    await pools().putPoolDevice('raw', 'db', {});
    const { left } = await pools().deletePool('raw', true);
    assert.equal(left, `${dataDevice} and ${metadataDevice} can be used for something else`);
    await daemon.client.apply(poolManifest('raw', formatting));
    assert.deepEqual((await pools().poolStatus('raw')).devices, []);
  });
});
