/**
 * What every driver of thin pools does the same: `driverSuite('reflink', factory)` is all that the test of a driver needs.
 * `pool-suite.ts` does the same for a PoolDevice over the driver.
 */
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { DEVICE_ID_MAX, type PoolDriver } from '../../../src/thinpool/driver.ts';
import { driverUsers } from './driver-users.ts';
import {
  type DriverSubject,
  type DriverSubjectFactory,
  type DriverSuiteOptions,
  deviceSizeBytes,
  MIB,
  pattern,
  read,
  type Scene,
  withSubject,
  write,
} from './subject.ts';

const SIZE = 16 * MIB;
const AT_ONCE = { deferred: false, force: false } as const;

const activate = async (driver: PoolDriver, name: string, id: number): Promise<void> => {
  await driver.createThin(id);
  await driver.activate(name, id, SIZE);
};

export function driverSuite(title: string, factory: DriverSubjectFactory, options: DriverSuiteOptions): void {
  const scene = (name: string, body: (subject: DriverSubject) => Promise<void>): void => {
    it(name, () => withSubject(factory, body));
  };
  describe(`a driver of thin pools: ${title}`, () => {
    describe('devices', () => devices(scene));
    describe('snapshots', () => snapshots(scene));
    describe('space', () => space(scene));
    describe('life', () => life(scene, options));
    if (options.hasKernel) describe('users', () => driverUsers(scene, options.holdsRawWrites));
  });
}

function devices(scene: Scene): void {
  scene('an id is created once and deleted once', async ({ driver }) => {
    await driver.createThin(1);
    await assert.rejects(driver.createThin(1), { code: 'ALREADY_EXISTS' });
    await driver.delete(1);
    await assert.rejects(driver.delete(1), { code: 'NOT_FOUND' });
    await driver.createThin(1);
  });

  scene('the largest id is as good as any', async ({ driver }) => {
    await activate(driver, 'last', DEVICE_ID_MAX);
    const [device] = await driver.list();
    assert.deepEqual(device, { id: DEVICE_ID_MAX, name: 'last', isActive: true, isSuspended: false, sizeBytes: SIZE });
  });

  scene('an active device is a block device of its size; there is none before and after', async ({ driver }) => {
    await driver.createThin(5);
    assert.equal(existsSync(driver.path('five')), false);
    assert.equal(await driver.isActive('five'), false);
    await driver.activate('five', 5, SIZE);
    assert.equal(await driver.isActive('five'), true);
    assert.equal(deviceSizeBytes(driver, 'five'), SIZE);
    await driver.deactivate('five', AT_ONCE);
    assert.equal(existsSync(driver.path('five')), false);
    assert.equal(await driver.isActive('five'), false);
    await driver.deactivate('five', AT_ONCE);
  });

  scene('neither a name nor an id is activated twice', async ({ driver }) => {
    await activate(driver, 'a', 1);
    await driver.createThin(2);
    await assert.rejects(driver.activate('a', 1, SIZE), { code: 'BUSY' });
    await assert.rejects(driver.activate('a', 2, SIZE), { code: 'BUSY' });
    await assert.rejects(driver.activate('b', 1, SIZE), { code: 'BUSY' });
    assert.equal(await driver.isActive('b'), false);
    assert.equal(existsSync(driver.path('b')), false);
  });

  scene('what is not there cannot be activated, and a size must be whole sectors', async ({ driver }) => {
    await assert.rejects(driver.activate('none', 9, SIZE), { code: 'NOT_FOUND' });
    assert.equal(await driver.isActive('none'), false);
    await driver.createThin(9);
    for (const size of [0, 511, -512]) {
      await assert.rejects(driver.activate('none', 9, size), { code: 'INVALID_ARGUMENT' });
    }
    await driver.activate('none', 9, SIZE);
  });

  scene('an active device grows under its users, and never shrinks', async ({ driver }) => {
    await assert.rejects(driver.resize('a', SIZE), { code: 'NOT_FOUND' });
    await activate(driver, 'a', 1);
    write(driver, 'a', 0, pattern(1, 4096));
    await driver.resize('a', 2 * SIZE);
    assert.equal(deviceSizeBytes(driver, 'a'), 2 * SIZE);
    write(driver, 'a', 2 * SIZE - 4096, pattern(2, 4096));
    assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
    await assert.rejects(driver.resize('a', SIZE), { code: 'INVALID_ARGUMENT' });
    assert.equal(deviceSizeBytes(driver, 'a'), 2 * SIZE);
  });

  scene('an active device cannot be deleted', async ({ driver }) => {
    await activate(driver, 'a', 1);
    write(driver, 'a', 0, pattern(1, 4096));
    await assert.rejects(driver.delete(1), { code: 'BUSY' });
    assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
    await driver.deactivate('a', AT_ONCE);
    await driver.delete(1);
    assert.deepEqual(await driver.list(), []);
  });

  scene('an id that is used again shows nothing of its former device', async ({ driver }) => {
    await activate(driver, 'a', 1);
    write(driver, 'a', MIB, pattern(1, 65_536));
    await driver.deactivate('a', AT_ONCE);
    await driver.delete(1);
    await activate(driver, 'a', 1);
    assert.ok(read(driver, 'a', 0, 2 * MIB).every((byte) => byte === 0));
  });

  scene('many are made at the same time', async ({ driver }) => {
    const ids = Array.from({ length: 12 }, (_, index) => index + 1);
    await Promise.all(ids.map((id) => activate(driver, `d${id}`, id)));
    for (const id of ids) write(driver, `d${id}`, 0, pattern(id, 4096));
    for (const id of ids) assert.deepEqual(read(driver, `d${id}`, 0, 4096), pattern(id, 4096));
    const listed = (await driver.list()).map(({ id, name }) => `${id} ${name}`).sort();
    assert.deepEqual(listed, ids.map((id) => `${id} d${id}`).sort());
    await Promise.all(ids.map((id) => driver.deactivate(`d${id}`, AT_ONCE)));
    await Promise.all(ids.map((id) => driver.delete(id)));
    assert.deepEqual(await driver.list(), []);
  });

  scene('suspending twice and resuming twice is fine, of what is active', async ({ driver }) => {
    await assert.rejects(driver.suspend('a'), { code: 'NOT_FOUND' });
    await assert.rejects(driver.resume('a'), { code: 'NOT_FOUND' });
    await activate(driver, 'a', 1);
    for (const isSuspended of [true, true, false, false]) {
      await (isSuspended ? driver.suspend('a') : driver.resume('a'));
      assert.deepEqual(await driver.list(), [{ id: 1, name: 'a', isActive: true, isSuspended, sizeBytes: SIZE }]);
    }
    write(driver, 'a', 0, pattern(3, 4096));
  });
}

function snapshots(scene: Scene): void {
  scene('a snapshot keeps what its origin had, and neither sees the other from then on', async ({ driver }) => {
    await activate(driver, 'origin', 1);
    write(driver, 'origin', 0, pattern(1, MIB));
    await driver.suspend('origin');
    await driver.createSnapshot(2, 1);
    await driver.resume('origin');
    await driver.activate('copy', 2, SIZE);
    write(driver, 'origin', 0, pattern(2, 65_536));
    write(driver, 'copy', 512 * 1024, pattern(3, 65_536));
    assert.deepEqual(read(driver, 'copy', 0, 512 * 1024), pattern(1, MIB).subarray(0, 512 * 1024));
    assert.deepEqual(read(driver, 'origin', 0, 65_536), pattern(2, 65_536));
    assert.deepEqual(
      read(driver, 'origin', 512 * 1024, 65_536),
      pattern(1, MIB).subarray(512 * 1024, 512 * 1024 + 65_536),
    );
    assert.deepEqual(read(driver, 'copy', 512 * 1024, 65_536), pattern(3, 65_536));
  });

  scene('snapshots of snapshots outlive their origins', async ({ driver }) => {
    await activate(driver, 'd1', 1);
    for (let id = 2; id <= 6; id += 1) {
      write(driver, `d${id - 1}`, id * MIB, pattern(id, 4096));
      await driver.suspend(`d${id - 1}`);
      await driver.createSnapshot(id, id - 1);
      await driver.resume(`d${id - 1}`);
      await driver.deactivate(`d${id - 1}`, AT_ONCE);
      await driver.delete(id - 1);
      await driver.activate(`d${id}`, id, SIZE);
    }
    for (let id = 2; id <= 6; id += 1) assert.deepEqual(read(driver, 'd6', id * MIB, 4096), pattern(id, 4096));
    assert.deepEqual(
      (await driver.list()).map(({ id }) => id),
      [6],
    );
  });

  scene('a snapshot of a device that is not active is complete', async ({ driver }) => {
    await activate(driver, 'a', 1);
    write(driver, 'a', 0, pattern(1, 65_536));
    await driver.deactivate('a', AT_ONCE);
    await driver.createSnapshot(2, 1);
    await driver.activate('b', 2, SIZE);
    assert.deepEqual(read(driver, 'b', 0, 65_536), pattern(1, 65_536));
  });

  scene('a snapshot may be larger than its origin: the rest is empty', async ({ driver }) => {
    await activate(driver, 'a', 1);
    write(driver, 'a', SIZE - 4096, pattern(1, 4096));
    await driver.deactivate('a', AT_ONCE);
    await driver.createSnapshot(2, 1);
    await driver.activate('b', 2, 2 * SIZE);
    assert.deepEqual(read(driver, 'b', SIZE - 4096, 4096), pattern(1, 4096));
    assert.ok(read(driver, 'b', SIZE, MIB).every((byte) => byte === 0));
    assert.equal(deviceSizeBytes(driver, 'b'), 2 * SIZE);
  });

  scene('there is none of what is not there, and none onto an id that is taken', async ({ driver }) => {
    await assert.rejects(driver.createSnapshot(2, 1), { code: 'NOT_FOUND' });
    await driver.createThin(1);
    await driver.createThin(2);
    await assert.rejects(driver.createSnapshot(2, 1), { code: 'ALREADY_EXISTS' });
    await driver.delete(2);
    await driver.createSnapshot(2, 1);
  });
}

function space(scene: Scene): void {
  scene('an empty device uses nothing, and a snapshot only what changes', async ({ driver }) => {
    await activate(driver, 'a', 1);
    assert.deepEqual(await driver.usage(1), { ownBytes: 0, sharedBytes: 0 });
    write(driver, 'a', 0, pattern(1, 4 * MIB));
    assert.deepEqual(await driver.usage(1), { ownBytes: 4 * MIB, sharedBytes: 0 });
    await driver.suspend('a');
    await driver.createSnapshot(2, 1);
    await driver.resume('a');
    for (const id of [1, 2]) assert.deepEqual(await driver.usage(id), { ownBytes: 0, sharedBytes: 4 * MIB });
    write(driver, 'a', MIB, pattern(2, MIB));
    const { ownBytes, sharedBytes } = await driver.usage(1);
    assert.deepEqual([ownBytes, sharedBytes], [MIB, 3 * MIB]);
    await assert.rejects(driver.usage(3), { code: 'NOT_FOUND' });
  });

  scene('the pool says what is used, and gets back what is deleted', async ({ driver }) => {
    const before = await driver.status();
    assert.ok(before.dataTotalBytes >= 96 * MIB && before.metadataTotalBytes >= 0, JSON.stringify(before));
    assert.deepEqual([before.isReadOnly, before.needsCheck], [false, false]);
    await activate(driver, 'a', 1);
    write(driver, 'a', 0, pattern(1, 8 * MIB));
    const filled = await driver.status();
    assert.ok(filled.dataUsedBytes >= before.dataUsedBytes + 8 * MIB, JSON.stringify([before, filled]));
    await driver.deactivate('a', AT_ONCE);
    await driver.delete(1);
    const after = await driver.status();
    assert.ok(after.dataUsedBytes <= filled.dataUsedBytes - 7 * MIB, JSON.stringify([filled, after]));
  });

  scene('discarding gives blocks back at once', async ({ driver }) => {
    await assert.rejects(driver.discard('a'), { code: 'NOT_FOUND' });
    await activate(driver, 'a', 1);
    write(driver, 'a', 0, pattern(1, 8 * MIB));
    await driver.discard('a');
    assert.deepEqual(await driver.usage(1), { ownBytes: 0, sharedBytes: 0 });
    assert.ok(read(driver, 'a', 0, MIB).every((byte) => byte === 0));
  });
}

function life(scene: Scene, { suspensionEndsWithProcess = false }: DriverSuiteOptions): void {
  scene('the next process finds devices active and with their content', async (subject) => {
    await activate(subject.driver, 'a', 1);
    await subject.driver.createThin(2);
    write(subject.driver, 'a', 0, pattern(1, 65_536));
    const driver = await subject.reopen();
    assert.deepEqual(sorted(await driver.list()), [
      { id: 1, name: 'a', isActive: true, isSuspended: false, sizeBytes: SIZE },
      { id: 2, isActive: false, isSuspended: false },
    ]);
    assert.deepEqual(read(driver, 'a', 0, 65_536), pattern(1, 65_536));
    await assert.rejects(driver.activate('a', 1, SIZE), { code: 'BUSY' });
  });

  scene('the next process finds a suspended device, and can resume it', async (subject) => {
    await activate(subject.driver, 'a', 1);
    await subject.driver.suspend('a');
    const driver = await subject.reopen();
    const isSuspended = !suspensionEndsWithProcess;
    assert.deepEqual(await driver.list(), [{ id: 1, name: 'a', isActive: true, isSuspended, sizeBytes: SIZE }]);
    await driver.resume('a');
    write(driver, 'a', 0, pattern(1, 4096));
  });

  scene('a user keeps a device across processes of the driver', async (subject) => {
    await activate(subject.driver, 'a', 1);
    const user = openSync(subject.driver.path('a'), constants.O_RDWR);
    try {
      const driver = await subject.reopen();
      writeSync(user, pattern(1, 4096), 0, 4096, 0);
      fsyncSync(user);
      assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
    } finally {
      closeSync(user);
    }
  });

  scene('after a restart of the host nothing is active and all is there', async (subject) => {
    await activate(subject.driver, 'a', 1);
    write(subject.driver, 'a', MIB, pattern(1, 65_536));
    await subject.driver.setTransaction(7);
    const driver = await subject.reboot();
    assert.deepEqual(await driver.list(), [{ id: 1, isActive: false, isSuspended: false }]);
    assert.equal(existsSync(driver.path('a')), false);
    assert.equal(await driver.transaction(), 7);
    await driver.activate('a', 1, SIZE);
    assert.deepEqual(read(driver, 'a', MIB, 65_536), pattern(1, 65_536));
  });

  scene('the number of the last change is kept', async (subject) => {
    assert.equal(await subject.driver.transaction(), 0);
    for (const transaction of [1, 2, 40]) {
      await subject.driver.setTransaction(transaction);
      assert.equal(await subject.driver.transaction(), transaction);
    }
    assert.equal(await (await subject.reopen()).transaction(), 40);
  });

  scene('a pool that is taken out of service keeps its data', async (subject) => {
    await activate(subject.driver, 'a', 1);
    write(subject.driver, 'a', 0, pattern(1, 4096));
    await assert.rejects(subject.driver.destroy(), { code: 'BUSY' });
    await subject.driver.deactivate('a', AT_ONCE);
    await subject.driver.destroy();
    const driver = await subject.reopen();
    await driver.activate('a', 1, SIZE);
    assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
  });

  scene('closing twice is fine', async ({ driver }) => {
    await driver.close();
    await driver.close();
  });
}

function sorted<T extends { readonly id: number }>(list: readonly T[]): readonly T[] {
  return [...list].sort((one, other) => one.id - other.id);
}
