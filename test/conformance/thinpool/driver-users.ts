/** The part of the suite of drivers that is about who has a device open, and about writes that wait. Needs a kernel. */
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import { until } from '../../tools/until.ts';
import { type DriverSubject, MIB, pattern, read, type Scene, write } from './subject.ts';

const SIZE = 16 * MIB;
const AT_ONCE = { deferred: false, force: false } as const;

async function active({ driver }: DriverSubject): Promise<PoolDriver> {
  await driver.createThin(1);
  await driver.activate('a', 1, SIZE);
  return driver;
}

export function driverUsers(scene: Scene, holdsRawWrites: boolean): void {
  scene('a device that somebody has open is neither deactivated nor discarded', async (subject) => {
    const driver = await active(subject);
    write(driver, 'a', 0, pattern(1, 4096));
    const user = openSync(driver.path('a'), constants.O_RDWR);
    try {
      await assert.rejects(driver.deactivate('a', AT_ONCE), { code: 'BUSY' });
      await assert.rejects(driver.discard('a'), { code: 'BUSY' });
      assert.equal(await driver.isActive('a'), true);
      assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
    } finally {
      closeSync(user);
    }
    await driver.deactivate('a', AT_ONCE);
  });

  scene('deferred, it goes when its last user does', async (subject) => {
    const driver = await active(subject);
    const user = openSync(driver.path('a'), constants.O_RDWR);
    try {
      await driver.deactivate('a', { deferred: true, force: false });
      // Its user goes on undisturbed.
      writeSync(user, pattern(1, 4096), 0, 4096, 0);
      readSync(user, Buffer.alloc(4096), 0, 4096, 0);
    } finally {
      closeSync(user);
    }
    await until('the device is gone', async () => (await driver.list()).every(({ isActive }) => !isActive));
    assert.equal(await driver.isActive('a'), false);
    assert.equal(existsSync(driver.path('a')), false);
    await driver.activate('a', 1, SIZE);
    assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
  });

  scene('one that waits for its last user is kept if it is activated again', async (subject) => {
    const driver = await active(subject);
    const user = openSync(driver.path('a'), constants.O_RDWR);
    await driver.deactivate('a', { deferred: true, force: false });
    await driver.activate('a', 1, SIZE);
    closeSync(user);
    await sleep(100);
    assert.equal(await driver.isActive('a'), true);
    write(driver, 'a', 0, pattern(1, 4096));
  });

  scene('deferred, one that nobody has open goes at once', async (subject) => {
    const driver = await active(subject);
    await driver.deactivate('a', { deferred: true, force: false });
    await until('the device is gone', async () => !(await driver.isActive('a')));
    await driver.delete(1);
  });

  scene('by force its user can neither read nor write any more, and it goes with it', async (subject) => {
    const driver = await active(subject);
    const user = openSync(driver.path('a'), constants.O_RDWR | constants.O_SYNC);
    try {
      await driver.deactivate('a', { deferred: true, force: true });
      assert.throws(() => writeSync(user, pattern(1, MIB), 0, MIB, 4 * MIB), {
        code: /^(?:EIO|ENXIO|ENODEV|ENOSPC|EBADF)$/,
      });
    } finally {
      closeSync(user);
    }
    await until('the device is gone', async () => !(await driver.isActive('a')));
    await until('it can be deleted', () =>
      driver.delete(1).then(
        () => true,
        () => false,
      ),
    );
  });

  if (!holdsRawWrites) return;
  scene('writes to a suspended device wait, and are done after it is resumed', async (subject) => {
    const driver = await active(subject);
    await driver.suspend('a');
    const user = await open(driver.path('a'), 'r+');
    let isDone = false;
    await user.write(pattern(1, 65_536), 0, 65_536, 0);
    const flushed = user.sync().then(() => {
      isDone = true;
    });
    await sleep(200);
    assert.equal(isDone, false);
    await driver.resume('a');
    await flushed;
    await user.close();
    assert.deepEqual(read(driver, 'a', 0, 65_536), pattern(1, 65_536));
  });
}
