import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { findMount } from '../../../src/mounts/mount-table.ts';
import type { CareTarget } from '../../../src/thinpool/care/care-target.ts';
import { checkPool } from '../../../src/thinpool/care/check-pool.ts';
import { repairPool } from '../../../src/thinpool/care/repair-pool.ts';
import { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import type { PoolSpec } from '../../../src/thinpool/pool-spec.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../../src/thinpool/reflink/reflink-driver.ts';
import { skipUnlessScratch } from '../../tools/scratch-file-system.ts';
import { detachBelow } from '../helpers/reflink-subject.ts';

const MEBIBYTE = 1024 * 1024;
const POOL_BYTES = 320 * MEBIBYTE;
const SIZE = 8 * MEBIBYTE;

describe('the repair of a pool in a file', { skip: skipUnlessScratch('xfs') }, () => {
  let folder: string;
  let options: ReflinkOptions;
  let metadata: PoolMetadata;
  let driver: ReflinkDriver;
  let device: PoolDevice | undefined;
  let target: CareTarget;
  beforeEach(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-care-')));
    const path = join(folder, 'pool');
    options = { poolName: 'p', place: { kind: 'file', path }, runtimeDir: join(folder, 'run'), log: silentLog };
    metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: 'p', log: silentLog });
    await ReflinkDriver.create(options, POOL_BYTES);
    const spec: PoolSpec = {
      name: 'p',
      place: { kind: 'file', path, sizeBytes: POOL_BYTES },
      deviceSizeBytes: SIZE,
      discardBlocks: false,
      asyncRemove: false,
      fileSystem: { type: 'ext4', options: '' },
    };
    target = {
      spec,
      paths: { data: path },
      metadata,
      runtimeDir: options.runtimeDir,
      stateDir: folder,
      log: silentLog,
    };
    await serve();
    await device?.createThinDevice('a', SIZE);
  });
  afterEach(async () => {
    await device?.close();
    await metadata.close();
    await detachBelow(join(options.runtimeDir, 'pools'));
    const mounted = join(options.runtimeDir, 'pools/p/fs');
    if ((await findMount(mounted)) !== undefined) execFileSync('umount', [mounted]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function serve(): Promise<void> {
    driver = new ReflinkDriver(options);
    device = await PoolDevice.open({ driver, metadata, log: silentLog });
  }

  const served = (): CareTarget => ({ ...target, ...(device && { served: { driver, device } }) });
  const inPool = (name: string): string => join(options.runtimeDir, 'pools/p/fs', name);

  /** As after the end of the host. */
  async function takeOut(before: () => void = () => undefined): Promise<void> {
    before();
    await driver.deactivate('a', { deferred: false, force: false });
    await driver.destroy();
    await device?.close();
    device = undefined;
  }

  function damage(offsetBytes: number, lengthBytes: number): void {
    const file = openSync(target.paths.data, 'r+');
    writeSync(file, Buffer.alloc(lengthBytes, 0xa5), 0, lengthBytes, offsetBytes);
    closeSync(file);
  }

  it('a pool that is well has nothing to repair, in service and out of it', async () => {
    assert.deepEqual((await checkPool(served())).remaining, []);
    const { repaired, remaining } = await repairPool(served());
    assert.deepEqual([repaired, remaining], [[], []]);
    await assert.rejects(checkPool(target), { code: 'BUSY', message: /mounted still/ });
    await takeOut();
    assert.deepEqual(await checkPool(target), { repaired: [], remaining: [], notes: [] });
    assert.deepEqual(await repairPool(target), { repaired: [], remaining: [], notes: [] });
  });

  it('in service: what was given back of its file is there again, what does not belong there is told', async () => {
    execFileSync('fallocate', ['--punch-hole', '--offset', '200MiB', '--length', '40MiB', target.paths.data]);
    writeFileSync(inPool('devices/notes.txt'), 'not ours');
    mkdirSync(inPool('devices/9.img'));
    truncateSync(inPool(`devices/${metadata.getDevice('a').deviceId}.img`), 2 * SIZE);
    const { remaining } = await checkPool(served());
    assert.deepEqual(
      remaining.map(({ object, repairable }) => [object, repairable]).sort(),
      [
        ['file 1.img', false],
        ['file 9.img', false],
        [`file ${target.paths.data}`, true],
        ['file notes.txt', false],
        ['id 9', true],
      ].sort(),
    );
    const report = await repairPool(served());
    assert.deepEqual(
      report.repaired.map(({ object }) => object),
      [`file ${target.paths.data}`],
    );
    assert.equal(report.remaining.length, 4);
  });

  it('in service: an image that somebody has cut off is told, one that has grown while it was idle is not', async () => {
    const image = inPool(`devices/${metadata.getDevice('a').deviceId}.img`);
    truncateSync(image, SIZE / 2);
    const { remaining } = await checkPool(served());
    assert.deepEqual([remaining.length, remaining[0]?.object, remaining[0]?.repairable], [1, 'file 1.img', false]);
    assert.match(remaining[0]?.what ?? '', /its device a has 8 MiB, and it only 4 MiB/);
    truncateSync(image, SIZE);
    await device?.deactivateDevice('a');
    await device?.growDevice('a', 2 * SIZE);
    assert.deepEqual((await checkPool(served())).remaining, []);
  });

  it('in service: devices are as their records say again', async () => {
    await driver.deactivate('a', { deferred: false, force: false });
    const { repaired, remaining } = await repairPool(served());
    assert.deepEqual(repaired, [
      { object: 'device a', what: 'it was Activated', repairable: true, action: 'activated' },
    ]);
    assert.deepEqual(remaining, []);
  });

  it('out of service: the small files of the pool are written anew', async () => {
    await takeOut(() => {
      writeFileSync(inPool('dunnage-pool.json'), '{');
      writeFileSync(inPool('transaction'), 'x');
    });
    await assert.rejects(serve(), { code: 'CORRUPT', remedy: 'repair the pool: dunnage pool repair' });
    assert.deepEqual(
      (await checkPool(target)).remaining.map(({ object, repairable }) => [object, repairable]),
      [
        ['marker', true],
        ['number of the last change', true],
      ],
    );
    const { repaired, remaining } = await repairPool(target);
    assert.deepEqual([repaired.length, remaining], [2, []]);
    await serve();
    assert.equal(await driver.transaction(), metadata.transaction);
    assert.equal(await device?.isActivated('a'), true);
    assert.ok(((await driver.status()).promisableBytes ?? 0) > 0.8 * 0.75 * POOL_BYTES);
  });

  it('out of service: what a newer version or another pool has written is left alone', async () => {
    await takeOut(() => writeFileSync(inPool('dunnage-pool.json'), '{"format":2}'));
    const { repaired, remaining } = await repairPool(target);
    assert.deepEqual(
      [repaired, remaining.map(({ object, repairable }) => [object, repairable])],
      [[], [['marker', false]]],
    );
    const other: CareTarget = { ...target, spec: { ...target.spec, name: 'q' } };
    rmSync(target.paths.data);
    await ReflinkDriver.create(options, POOL_BYTES);
    const [finding] = (await repairPool(other)).remaining;
    assert.match(finding?.what ?? '', /there is the pool "p"/);
  });

  it('out of service: a damaged file system is mended, and its devices come back', async () => {
    await takeOut();
    // The header of the second allocation group: its copy of the superblock and its free lists.
    const group = POOL_BYTES / 4;
    damage(group, 4096 * 3);
    const { remaining } = await checkPool(target);
    assert.deepEqual(
      remaining.map(({ object, repairable }) => [object, repairable]),
      [['file system', true]],
    );
    assert.match(remaining[0]?.what ?? '', /xfs_repair says: /);
    const report = await repairPool(target);
    assert.deepEqual([report.repaired.map(({ object }) => object), report.remaining], [['file system'], []]);
    await serve();
    assert.equal(await device?.isActivated('a'), true);
  });

  it('out of service: where there is no file system any more nothing is made', async () => {
    await takeOut();
    damage(0, MEBIBYTE);
    truncateSync(target.paths.data, 0);
    truncateSync(target.paths.data, POOL_BYTES);
    const { repaired, remaining } = await repairPool(target);
    assert.deepEqual([repaired, remaining.length, remaining[0]?.repairable], [[], 1, false]);
    assert.match(remaining[0]?.what ?? '', /it holds no file system/);
  });
});
