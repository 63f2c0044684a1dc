import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { checkServedPool } from '../../../src/thinpool/care/check-served.ts';
import type { PoolStatus } from '../../../src/thinpool/driver.ts';
import { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { FileDriver } from '../helpers/file-driver.ts';

const SIZE = 1024 * 1024;

class StatusDriver extends FileDriver {
  more: Partial<PoolStatus> = {};

  override async status(): Promise<PoolStatus> {
    return { ...(await super.status()), ...this.more };
  }
}

describe('the check of a pool in service', () => {
  let folder: string;
  let metadata: PoolMetadata;
  let driver: StatusDriver;
  let pool: PoolDevice;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dunnage-check-'));
    metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: 'p', log: silentLog });
    driver = new StatusDriver(join(folder, 'pool'));
    pool = await PoolDevice.open({ driver, metadata, log: silentLog });
    for (const name of ['a', 'b']) await pool.createThinDevice(name, SIZE);
  });
  afterEach(async () => {
    await pool.close();
    await metadata.close();
    rmSync(folder, { recursive: true });
  });

  const found = async (): Promise<readonly (readonly [string, string, boolean])[]> => {
    const { findings } = await checkServedPool({ driver, metadata });
    return findings.map(({ object, what, repairable }) => [object, what, repairable]);
  };

  it('finds nothing where all is well, suspended and idle devices among it', async () => {
    await pool.suspendDevice('a');
    await pool.deactivateDevice('b');
    assert.deepEqual(await found(), []);
  });

  it('finds what went behind the back of the records, and a repair mends it', async () => {
    await driver.deactivate('a');
    await driver.suspend('b');
    assert.deepEqual(await found(), [
      ['device a', 'it is not active, and should be', true],
      ['device b', 'its writes wait, and nobody has asked for that', true],
    ]);
    const { devices } = await pool.repair();
    assert.deepEqual(
      devices.map(({ name, outcome }) => [name, outcome]),
      [
        ['a', 'activated'],
        ['b', 'resumed'],
      ],
    );
    assert.deepEqual(await found(), []);
  });

  it('finds content that is gone, and a repair says so of the device', async () => {
    const { deviceId } = metadata.getDevice('a');
    await driver.deactivate('a');
    rmSync(join(folder, 'pool/pool', String(deviceId)));
    assert.deepEqual(await found(), [
      ['device a', `the pool has nothing of the id ${deviceId}: its content is lost`, false],
    ]);
    assert.equal((await pool.repair()).devices[0]?.outcome, 'faulty');
    const [finding, ...more] = await found();
    assert.deepEqual([finding?.[0], finding?.[2], more], ['device a', false, []]);
    assert.match(finding?.[1] ?? '', /^it is Faulty: .*its content is lost$/);
  });

  it('finds an operation that was not finished, and a device of another name', async () => {
    await metadata.changeDeviceState('a', 'Deactivating');
    renameSync(join(folder, 'pool/kernel/b'), join(folder, 'pool/kernel/other'));
    assert.deepEqual(await found(), [
      ['device a', 'its operation was not finished (Deactivating)', true],
      ['device b', 'it is active under another name: other', false],
    ]);
  });

  it('finds devices that no record names, and deletes them only if somebody says so', async () => {
    await driver.createThin(77);
    assert.deepEqual(await found(), [['id 77', 'the pool has a device that no record names', true]]);
    await pool.repair();
    assert.equal((await found()).length, 1);
    await metadata.setIdsAside([77]);
    await pool.repair({ deleteUnknown: true });
    assert.deepEqual(await found(), []);
  });

  it('finds records that are older than the pool, and what the pool says of itself', async () => {
    await driver.setTransaction(1000);
    driver.more = { isReadOnly: true, needsCheck: true };
    const [ofPool, ofNumber] = await found();
    assert.deepEqual(ofPool, ['pool', 'it takes no changes any more', true]);
    assert.match(ofNumber?.[1] ?? '', /the pool is at 1000 and the records at 2: they are older/);
  });

  it('does not take for damage what happens at this moment', async () => {
    let looks = 0;
    const list = driver.list.bind(driver);
    driver.list = async () => {
      looks += 1;
      return looks === 1 ? [] : await list();
    };
    assert.deepEqual(await found(), []);
    assert.equal(looks, 2);
  });
});
