/** The part of the suite of pools that is about starts: what a process or the host left behind is brought in order. */
import assert from 'node:assert/strict';
import type { DeviceState } from '../../../src/thinpool/device-states.ts';
import type { PoolScene, PoolSubject } from './pool-subject.ts';
import { MIB, pattern, read, write } from './subject.ts';

const SIZE = 16 * MIB;
const AT_ONCE = { deferred: false, force: false } as const;

/** Of a device with content, for which everything had been done, and whose record is set to the state by hand. */
interface Expected {
  readonly state: DeviceState | 'gone';
  readonly isActive: boolean;
}

const ACTIVE = { state: 'Activated', isActive: true } as const;
const GONE = { state: 'gone', isActive: false } as const;
const RESUMED = { state: 'Resumed', isActive: true } as const;
const INACTIVE = { state: 'Deactivated', isActive: false } as const;

const WHILE_ACTIVE: Readonly<Record<DeviceState, Expected>> = {
  Unknown: GONE,
  Creating: GONE,
  Created: ACTIVE,
  Activating: ACTIVE,
  Activated: ACTIVE,
  Suspending: ACTIVE,
  Suspended: ACTIVE,
  Resuming: RESUMED,
  Resumed: RESUMED,
  Deactivating: INACTIVE,
  Deactivated: { state: 'Deactivated', isActive: true },
  Removing: GONE,
  Removed: { state: 'Removed', isActive: true },
  Faulty: { state: 'Faulty', isActive: true },
};
const AFTER_REBOOT: Readonly<Record<DeviceState, Expected>> = {
  ...WHILE_ACTIVE,
  Deactivated: INACTIVE,
  Removed: { state: 'Removed', isActive: false },
  Faulty: { state: 'Faulty', isActive: false },
};

async function check({ pool, metadata }: PoolSubject, expected: Expected): Promise<void> {
  assert.equal(metadata.findDevice('a')?.state ?? 'gone', expected.state);
  assert.equal(await pool.isLoaded('a'), expected.isActive);
  if (expected.isActive) assert.deepEqual(read(pool, 'a', 0, 4096), pattern(1, 4096));
  if (expected.state !== 'Faulty') assert.deepEqual(metadata.idsSetAside(), []);
}

export function poolStarts(scene: PoolScene): void {
  const makeInState = async ({ pool, metadata }: PoolSubject, state: DeviceState): Promise<void> => {
    await pool.createThinDevice('a', SIZE);
    write(pool, 'a', 0, pattern(1, 4096));
    if (state === 'Faulty') await metadata.markFaulty('a', 'by hand');
    else await metadata.changeDeviceState('a', state);
  };

  scene('every state of an active device is settled by the next process', async (subject) => {
    for (const [state, expected] of Object.entries(WHILE_ACTIVE) as [DeviceState, Expected][]) {
      await subject.restart((before) => makeInState(before, state));
      await check(subject, expected);
      if (subject.metadata.findDevice('a') !== undefined) await subject.pool.removeDevice('a');
      assert.deepEqual(await subject.driver.list(), [], state);
    }
  });

  scene('every state is settled after a restart of the host: what was active is active again', async (subject) => {
    for (const [state, expected] of Object.entries(AFTER_REBOOT) as [DeviceState, Expected][]) {
      await subject.reboot((before) => makeInState(before, state));
      await check(subject, expected);
      if (subject.metadata.findDevice('a') !== undefined) await subject.pool.removeDevice('a');
      assert.deepEqual(await subject.driver.list(), [], state);
    }
  });

  scene('a record without a device is undone, or Faulty if it had content', async (subject) => {
    for (const state of Object.keys(WHILE_ACTIVE) as DeviceState[]) {
      await subject.restart(async (before) => {
        await before.metadata.addDevice({ name: 'lost', sizeBytes: SIZE, state });
        if (state === 'Faulty') await before.metadata.markFaulty('lost', 'by hand', 'Activated');
      });
      const found = subject.metadata.findDevice('lost')?.state ?? 'gone';
      const undone = ['Unknown', 'Creating', 'Removing'].includes(state);
      assert.equal(found, undone ? 'gone' : state === 'Removed' ? 'Removed' : 'Faulty', state);
      if (!undone) await subject.pool.removeDevice('lost');
    }
    const { deviceId } = await subject.pool.createThinDevice('a', SIZE);
    assert.equal(deviceId, 1);
  });

  scene('one broken device stops nobody, and a repair brings it back when it can', async (subject) => {
    await subject.pool.createThinDevice('good', SIZE);
    write(subject.pool, 'good', 0, pattern(1, 4096));
    await subject.pool.createThinDevice('bad', SIZE);
    const { deviceId } = subject.metadata.getDevice('bad');
    await subject.reboot(async ({ driver, pool }) => {
      await pool.deactivateDevice('bad');
      await subject.metadata.changeDeviceState('bad', 'Activated');
      await driver.delete(deviceId);
    });
    assert.equal(subject.metadata.getDevice('bad').state, 'Faulty');
    assert.match(subject.metadata.getDevice('bad').error, /lost/);
    assert.deepEqual(read(subject.pool, 'good', 0, 4096), pattern(1, 4096));
    await assert.rejects(subject.pool.activateDevice('bad'), { code: 'CORRUPT' });
    assert.equal((await subject.pool.repair()).devices[0]?.outcome, 'faulty');
    await subject.driver.createThin(deviceId);
    const report = await subject.pool.repair();
    assert.deepEqual(
      report.devices.map(({ name, outcome }) => [name, outcome]),
      [['bad', 'activated']],
    );
    assert.equal(await subject.pool.isActivated('bad'), true);
    assert.deepEqual(subject.metadata.idsSetAside(), []);
  });

  scene('devices that nobody here made are left alone, and their ids are not given out', async (subject) => {
    await subject.restart(async ({ driver }) => {
      await driver.createThin(1);
      await driver.createThin(3);
    });
    assert.deepEqual(subject.pool.startReport.unknownIds, [1, 3]);
    assert.equal((await subject.pool.createThinDevice('a', SIZE)).deviceId, 2);
    assert.equal((await subject.pool.createThinDevice('b', SIZE)).deviceId, 4);
    await subject.driver.createThin(5);
    assert.equal((await subject.pool.createThinDevice('c', SIZE)).deviceId, 6);
    assert.deepEqual([...(await subject.pool.repair()).unknownIds].sort(), [1, 3, 5]);
    const report = await subject.pool.repair({ deleteUnknown: true });
    assert.deepEqual([...report.freedIds].sort(), [1, 3, 5]);
    assert.deepEqual([...(await subject.driver.list())].map(({ id }) => id).sort(), [2, 4, 6]);
    assert.equal((await subject.pool.createThinDevice('d', SIZE)).deviceId, 1);
  });

  scene('metadata that are older than the pool delete nothing', async (subject) => {
    await subject.pool.createThinDevice('a', SIZE);
    write(subject.pool, 'a', 0, pattern(1, 4096));
    await subject.restart(async ({ driver, metadata, pool }) => {
      await pool.deactivateDevice('a');
      await metadata.changeDeviceState('a', 'Removing');
      await driver.setTransaction(metadata.transaction + 3);
    });
    assert.equal(subject.pool.startReport.areMetadataOlder, true);
    assert.equal(subject.metadata.getDevice('a').state, 'Faulty');
    assert.equal((await subject.driver.list()).length, 1);
    await subject.pool.repair();
    assert.equal(subject.metadata.getDevice('a').state, 'Deactivated');
    await subject.pool.activateDevice('a');
    assert.deepEqual(read(subject.pool, 'a', 0, 4096), pattern(1, 4096));
    await subject.restart();
    assert.equal(subject.pool.startReport.areMetadataOlder, false);
  });

  scene('an origin that was held for a snapshot when its process died goes on', async (subject) => {
    await subject.pool.createThinDevice('a', SIZE);
    await subject.restart(async ({ driver, metadata }) => {
      await driver.suspend('a');
      await metadata.addDevice({ name: 'copy', parentName: 'a', sizeBytes: SIZE, state: 'Creating' });
    });
    assert.deepEqual(subject.metadata.getDeviceNames(), ['a']);
    const [device] = await subject.driver.list();
    assert.equal(device?.isSuspended, false);
    write(subject.pool, 'a', 0, pattern(1, 4096));
    await subject.driver.deactivate('a', AT_ONCE);
  });
}
