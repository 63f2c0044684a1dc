import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { trimPool } from '../../../src/thinpool/space/trim-pool.ts';
import { FileDriver } from '../helpers/file-driver.ts';

const SIZE = 1024 * 1024;
let folder: string;
let metadata: PoolMetadata;
let driver: FileDriver;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-trim-pool-'));
  metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: 'p', log: silentLog });
  driver = new FileDriver(join(folder, 'pool'));
  await driver.open();
  for (const name of ['active', 'broken', 'idle', 'suspended', 'vanished', 'without']) {
    const { deviceId } = await metadata.addDevice({ name, sizeBytes: SIZE, state: 'Activated' });
    await driver.createThin(deviceId);
    if (name !== 'idle') await driver.activate(name, deviceId, SIZE);
  }
  await metadata.changeDeviceState('suspended', 'Suspended');
});
afterEach(async () => {
  await metadata.close();
  rmSync(folder, { recursive: true });
});

test('every active device is trimmed; one that cannot be stops no other', async () => {
  const asked: string[] = [];
  const trim = async (path: string): Promise<number | undefined> => {
    const name = basename(path);
    asked.push(name);
    if (name === 'broken') throw new DunnageError('IO', 'it is broken');
    if (name === 'vanished') throw new DunnageError('NOT_FOUND', 'it is gone');
    return name === 'without' ? undefined : 4096;
  };
  const report = await trimPool({ driver, metadata, log: silentLog, trim });
  assert.deepEqual(asked, ['active', 'broken', 'vanished', 'without']);
  assert.deepEqual(report.devices, [
    { name: 'active', freeBytes: 4096 },
    { name: 'broken', error: 'it is broken' },
  ]);
});

test('what the pool has less in use is what was returned', async () => {
  writeFileSync(driver.path('active'), Buffer.alloc(SIZE, 1), { flush: true });
  const trim = async (path: string): Promise<number> => {
    if (basename(path) === 'active') truncateSync(path, 0);
    return 0;
  };
  const { returnedBytes } = await trimPool({ driver, metadata, log: silentLog, trim });
  assert.ok(returnedBytes >= SIZE, String(returnedBytes));
});
