/** What a PoolDevice does over every driver: `poolSuite('reflink', factory, options)`. */
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { poolStarts } from './pool-starts.ts';
import { type PoolScene, PoolSubject } from './pool-subject.ts';
import {
  type DriverSubjectFactory,
  type DriverSuiteOptions,
  deviceSizeBytes,
  MIB,
  pattern,
  read,
  thenCleanUp,
  write,
} from './subject.ts';

const SIZE = 16 * MIB;

export function poolSuite(title: string, factory: DriverSubjectFactory, options: DriverSuiteOptions): void {
  const scene: PoolScene = (name, body) => {
    it(name, async () => {
      const subject = await PoolSubject.make(factory);
      await thenCleanUp(
        () => body(subject),
        () => subject.cleanup(),
      );
    });
  };
  describe(`a pool of thin devices: ${title}`, () => {
    describe('devices', () => devices(scene));
    describe('snapshots', () => snapshots(scene));
    describe('states', () => states(scene, options));
    describe('starts', () => poolStarts(scene));
    if (options.hasKernel) describe('users', () => users(scene));
  });
}

function devices(scene: PoolScene): void {
  scene('a device is made once, active, empty, with an id of its own', async ({ pool, metadata }) => {
    const one = await pool.createThinDevice('thin-1', SIZE);
    assert.deepEqual(one, {
      name: 'thin-1',
      deviceId: 1,
      sizeBytes: SIZE,
      parentName: '',
      state: 'Activated',
      error: '',
    });
    await assert.rejects(pool.createThinDevice('thin-1', SIZE), { code: 'ALREADY_EXISTS' });
    const two = await pool.createThinDevice('thin-2', SIZE);
    assert.notEqual(one.deviceId, two.deviceId);
    assert.deepEqual(metadata.getDeviceNames(), ['thin-1', 'thin-2']);
    assert.equal(await pool.isActivated('thin-1'), true);
    assert.equal((await pool.getUsage('thin-1')).usedBytes, 0);
    write(pool, 'thin-1', 0, pattern(1, MIB));
    assert.deepEqual(await pool.getUsage('thin-1'), { ownBytes: MIB, sharedBytes: 0, usedBytes: MIB });
  });

  scene('a name or a size that cannot be leaves nothing', async ({ pool, metadata, driver }) => {
    for (const name of ['', '../x', 'a/b', '-a', 'x'.repeat(91)]) {
      await assert.rejects(pool.createThinDevice(name, SIZE), { code: 'INVALID_ARGUMENT' });
    }
    for (const size of [0, -512, 100, Number.NaN]) {
      await assert.rejects(pool.createThinDevice('a', size), { code: 'INVALID_ARGUMENT' });
    }
    assert.deepEqual(metadata.getDeviceNames(), []);
    assert.deepEqual(await driver.list(), []);
  });

  scene('a removed device is gone, and its id is used again', async ({ pool, driver }) => {
    const { deviceId } = await pool.createThinDevice('a', SIZE);
    write(pool, 'a', 0, pattern(1, MIB));
    await pool.removeDevice('a');
    assert.deepEqual(await driver.list(), []);
    assert.equal(existsSync(pool.path('a')), false);
    await assert.rejects(pool.removeDevice('a'), { code: 'NOT_FOUND' });
    const again = await pool.createThinDevice('b', SIZE);
    assert.equal(again.deviceId, deviceId);
    assert.ok(read(pool, 'b', 0, MIB).every((byte) => byte === 0));
  });

  scene('many are made and removed side by side', async ({ pool, driver }) => {
    const names = Array.from({ length: 10 }, (_, index) => `d${index}`);
    const made = await Promise.all(names.map((name) => pool.createThinDevice(name, SIZE)));
    assert.equal(new Set(made.map(({ deviceId }) => deviceId)).size, names.length);
    names.forEach((name, index) => {
      write(pool, name, 0, pattern(index, 4096));
    });
    await Promise.all(names.map((name) => pool.createSnapshotDevice(name, `${name}-copy`, SIZE)));
    names.forEach((name, index) => {
      assert.deepEqual(read(pool, `${name}-copy`, 0, 4096), pattern(index, 4096));
    });
    await Promise.all([...names, ...names.map((name) => `${name}-copy`)].map((name) => pool.removeDevice(name)));
    assert.deepEqual(await driver.list(), []);
  });

  scene('of many makers of one name exactly one succeeds', async ({ pool, metadata }) => {
    const attempts = await Promise.allSettled(Array.from({ length: 5 }, () => pool.createThinDevice('a', SIZE)));
    assert.equal(attempts.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(metadata.getDevice('a').state, 'Activated');
  });

  scene('a device grows, active or not', async ({ pool }) => {
    await pool.createThinDevice('a', SIZE);
    write(pool, 'a', 0, pattern(1, 4096));
    assert.equal((await pool.growDevice('a', 2 * SIZE)).sizeBytes, 2 * SIZE);
    assert.equal(deviceSizeBytes(pool, 'a'), 2 * SIZE);
    await assert.rejects(pool.growDevice('a', SIZE), { code: 'INVALID_ARGUMENT' });
    await pool.deactivateDevice('a');
    await pool.growDevice('a', 3 * SIZE);
    await pool.activateDevice('a');
    assert.equal(deviceSizeBytes(pool, 'a'), 3 * SIZE);
    assert.deepEqual(read(pool, 'a', 0, 4096), pattern(1, 4096));
  });

  scene(
    'the pool is removed with all its devices inactive, and has everything when it is opened again',
    async (subject) => {
      await subject.pool.createThinDevice('a', SIZE);
      write(subject.pool, 'a', 0, pattern(1, 4096));
      await subject.pool.createThinDevice('b', SIZE);
      await subject.pool.removePool();
      await subject.restart();
      assert.equal(subject.metadata.getDevice('a').state, 'Deactivated');
      assert.equal(await subject.pool.isLoaded('a'), false);
      await subject.pool.activateDevice('a');
      assert.deepEqual(read(subject.pool, 'a', 0, 4096), pattern(1, 4096));
    },
  );
}

function snapshots(scene: PoolScene): void {
  scene('a snapshot keeps the first version while the origin is written on', async ({ pool, metadata }) => {
    await pool.createThinDevice('origin', SIZE);
    write(pool, 'origin', 0, pattern(1, MIB));
    const copy = await pool.createSnapshotDevice('origin', 'copy', SIZE);
    assert.equal(copy.parentName, 'origin');
    write(pool, 'origin', 0, pattern(2, MIB));
    assert.deepEqual(read(pool, 'copy', 0, MIB), pattern(1, MIB));
    assert.deepEqual(read(pool, 'origin', 0, MIB), pattern(2, MIB));
    assert.equal(metadata.getDevice('origin').state, 'Activated');
    assert.equal(await pool.isActivated('origin'), true);
    await pool.removeDevice('origin');
    assert.deepEqual(read(pool, 'copy', 0, MIB), pattern(1, MIB));
  });

  scene('one that cannot be leaves nothing, and the origin goes on', async ({ pool, metadata, driver }) => {
    await assert.rejects(pool.createSnapshotDevice('none', 'copy', SIZE), { code: 'NOT_FOUND' });
    await pool.createThinDevice('origin', SIZE);
    await assert.rejects(pool.createSnapshotDevice('origin', 'origin', SIZE), { code: 'ALREADY_EXISTS' });
    await assert.rejects(pool.createSnapshotDevice('origin', 'copy', SIZE / 2), { code: 'INVALID_ARGUMENT' });
    assert.deepEqual(metadata.getDeviceNames(), ['origin']);
    assert.equal((await driver.list()).length, 1);
    write(pool, 'origin', 0, pattern(1, 4096));
  });

  scene('a snapshot of an inactive device is active, its origin is not', async ({ pool }) => {
    await pool.createThinDevice('origin', SIZE);
    write(pool, 'origin', 0, pattern(1, 4096));
    await pool.deactivateDevice('origin');
    await pool.createSnapshotDevice('origin', 'copy', 2 * SIZE);
    assert.deepEqual(read(pool, 'copy', 0, 4096), pattern(1, 4096));
    assert.equal(deviceSizeBytes(pool, 'copy'), 2 * SIZE);
    assert.equal(await pool.isLoaded('origin'), false);
  });

  scene('an origin that was suspended before stays so', async ({ pool, metadata }) => {
    await pool.createThinDevice('origin', SIZE);
    await pool.suspendDevice('origin');
    await pool.createSnapshotDevice('origin', 'copy', SIZE);
    assert.equal(metadata.getDevice('origin').state, 'Suspended');
    await pool.resumeDevice('origin');
  });
}

function states(scene: PoolScene, { suspensionEndsWithProcess = false }: DriverSuiteOptions): void {
  scene('each operation ends in its state', async ({ pool, metadata }) => {
    await pool.createThinDevice('a', SIZE);
    const state = () => metadata.getDevice('a').state;
    assert.equal(state(), 'Activated');
    await pool.suspendDevice('a');
    assert.deepEqual([state(), await pool.isActivated('a'), await pool.isLoaded('a')], ['Suspended', false, true]);
    await pool.suspendDevice('a');
    await pool.resumeDevice('a');
    assert.deepEqual([state(), await pool.isActivated('a')], ['Resumed', true]);
    await pool.resumeDevice('a');
    await pool.deactivateDevice('a');
    assert.deepEqual([state(), await pool.isActivated('a'), await pool.isLoaded('a')], ['Deactivated', false, false]);
    await pool.deactivateDevice('a');
    await pool.activateDevice('a');
    await pool.activateDevice('a');
    assert.equal(state(), 'Activated');
    await pool.suspendDevice('a');
    await pool.deactivateDevice('a');
    assert.equal(state(), 'Deactivated');
  });

  scene('what does not fit the state is refused and changes nothing', async ({ pool, metadata }) => {
    await pool.createThinDevice('a', SIZE);
    await pool.deactivateDevice('a');
    await assert.rejects(pool.suspendDevice('a'), { code: 'BUSY', message: /Deactivated/ });
    await assert.rejects(pool.resumeDevice('a'), { code: 'BUSY' });
    assert.equal(metadata.getDevice('a').state, 'Deactivated');
    for (const name of ['suspendDevice', 'resumeDevice', 'activateDevice', 'deactivateDevice'] as const) {
      await assert.rejects(pool[name]('none'), { code: 'NOT_FOUND' }, name);
    }
  });

  scene('a suspended device can be removed, and copied', async ({ pool }) => {
    await pool.createThinDevice('a', SIZE);
    await pool.suspendDevice('a');
    await pool.removeDevice('a');
    assert.equal(await pool.isLoaded('a'), false);
  });

  scene('a suspended device stays suspended across processes', async (subject) => {
    await subject.pool.createThinDevice('a', SIZE);
    await subject.pool.suspendDevice('a');
    await subject.restart();
    const state = suspensionEndsWithProcess ? 'Activated' : 'Suspended';
    assert.equal(subject.metadata.getDevice('a').state, state);
    await subject.pool.resumeDevice('a');
    write(subject.pool, 'a', 0, pattern(1, 4096));
  });
}

function users(scene: PoolScene): void {
  scene('a device in use is neither deactivated nor removed, and its user goes on', async ({ pool, metadata }) => {
    await pool.createThinDevice('a', SIZE);
    const user = openSync(pool.path('a'), constants.O_RDWR);
    try {
      await assert.rejects(pool.deactivateDevice('a'), { code: 'BUSY' });
      await assert.rejects(pool.removeDevice('a'), { code: 'BUSY' });
      assert.equal(metadata.getDevice('a').state, 'Activated');
      writeSync(user, pattern(1, 4096), 0, 4096, 0);
      fsyncSync(user);
    } finally {
      closeSync(user);
    }
    await pool.deactivateDevice('a');
  });

  scene('a device that is let go of while it is removed is removed after all', async ({ pool }) => {
    await pool.createThinDevice('a', SIZE);
    const user = openSync(pool.path('a'), constants.O_RDONLY);
    setTimeout(() => closeSync(user), 30);
    await pool.removeDevice('a');
    assert.equal(await pool.isLoaded('a'), false);
  });

  scene('the pool is removed as soon as the last device is let go of', async ({ pool }) => {
    await pool.createThinDevice('a', SIZE);
    const user = openSync(pool.path('a'), constants.O_RDONLY);
    const closed = new Promise<void>((resolve) => {
      setTimeout(() => {
        closeSync(user);
        resolve();
      }, 30);
    });
    await pool.removePool();
    await closed;
    await assert.rejects(pool.status());
  });
}
