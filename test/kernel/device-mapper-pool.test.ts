/** What only pools of the device-mapper have: parameters, full data, full metadata, check and repair, differences. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fsyncSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { loadNative } from '../../src/native/load.ts';
import { DeviceMapper } from '../../src/thinpool/device-mapper/control.ts';
import { createDeviceMapperPool } from '../../src/thinpool/device-mapper/create-pool.ts';
import { checkDeviceMapperPool, repairDeviceMapperPool } from '../../src/thinpool/device-mapper/maintenance.ts';
import { MIB, pattern, read, thenCleanUp, write } from '../conformance/thinpool/subject.ts';
import { DeviceMapperSubject, type PoolShape, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';

const native = loadNative();
const AT_ONCE = { deferred: false, force: false } as const;

async function scene(shape: PoolShape, body: (subject: DeviceMapperSubject) => Promise<void>): Promise<void> {
  const subject = await DeviceMapperSubject.make(shape);
  await thenCleanUp(
    () => body(subject),
    () => subject.cleanup(),
  );
}

async function tableOf(subject: DeviceMapperSubject): Promise<string> {
  const mapper = DeviceMapper.open(native);
  try {
    const [target] = await mapper.table(subject.pool);
    return `${target?.startSectors} ${target?.lengthSectors} ${target?.type} ${target?.parameters}`;
  } finally {
    mapper.close();
  }
}

/** Out of service, as `check` and `repair` want it. */
async function putAway({ driver }: DeviceMapperSubject, ...names: string[]): Promise<void> {
  for (const name of names) await driver.deactivate(name, AT_ONCE);
  await driver.destroy();
  await driver.close();
}

function damage(path: string, offsetBytes: number, lengthBytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(lengthBytes, 0xa5), 0, lengthBytes, offsetBytes);
  fsyncSync(file);
  closeSync(file);
}

/** Where the superblock says that the bitmaps of the metadata's own space map begin. */
function spaceMapBlock(path: string): number {
  const superblock = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  readSync(file, superblock, 0, 4096, 0);
  closeSync(file);
  return Number(superblock.readBigUInt64LE(192 + 16));
}

describe('a pool of the device-mapper', { skip: skipUnlessDeviceMapper() }, () => {
  it('has the table of the reference, and changes its parameters under its users', () =>
    scene({}, async (subject) => {
      const table = await tableOf(subject);
      assert.match(table, /^0 262144 thin-pool \d+:\d+ \d+:\d+ 128 32768 1 skip_block_zeroing ?$/);
      await subject.driver.createThin(1);
      await subject.driver.activate('a', 1, 16 * MIB);
      const user = openSync(subject.driver.path('a'), constants.O_RDWR);
      const parameters = { lowWaterBlocks: 10, errorIfNoSpace: true, zeroBlocks: true, discardPassdown: false };
      const driver = await subject.reopen(parameters);
      assert.match(await tableOf(subject), / 128 10 2 no_discard_passdown error_if_no_space ?$/);
      writeSync(user, pattern(1, 4096), 0, 4096, 0);
      fsyncSync(user);
      closeSync(user);
      assert.deepEqual(read(driver, 'a', 0, 4096), pattern(1, 4096));
      await assert.rejects(subject.reopen({ blockBytes: 131_072 }), { code: 'BUSY' });
      await subject.reopen();
    }));

  it('is neither found where none was made, nor made where something is', () =>
    scene({}, async (subject) => {
      await putAway(subject);
      const options = { native, pool: subject.pool, ...subject.paths };
      await assert.rejects(createDeviceMapperPool(options), { code: 'ALREADY_EXISTS', message: /a thin pool/ });
      execFileSync('mkfs.ext4', ['-q', subject.paths.dataPath], { stdio: 'ignore' });
      damage(subject.paths.metadataPath, 0, 4096);
      await assert.rejects(createDeviceMapperPool(options), { code: 'ALREADY_EXISTS', message: /something/ });
      await assert.rejects(subject.reopen(), { code: 'NOT_FOUND' });
      truncateSync(subject.paths.metadataPath, 0);
      truncateSync(subject.paths.metadataPath, 4 * MIB);
      await assert.rejects(createDeviceMapperPool(options), { code: 'ALREADY_EXISTS', message: /ext4/ });
      await createDeviceMapperPool({ ...options, isForced: true });
      await subject.reopen();
    }));

  it('that is full refuses writes at once, keeps what it took, and goes on when there is room', () =>
    scene({ dataBytes: 32 * MIB, parameters: { errorIfNoSpace: true } }, async ({ driver }) => {
      await driver.createThin(1);
      await driver.activate('other', 1, 16 * MIB);
      write(driver, 'other', 0, pattern(9, 8 * MIB));
      await driver.createThin(2);
      await driver.activate('a', 2, 64 * MIB);
      let taken = 0;
      assert.throws(
        () => {
          for (; taken < 64; taken += 1) write(driver, 'a', taken * MIB, pattern(taken, MIB));
        },
        { code: /^(?:ENOSPC|EIO)$/ },
      );
      assert.equal(taken, 24);
      const { dataUsedBytes, dataTotalBytes } = await driver.status();
      assert.deepEqual([dataUsedBytes, dataTotalBytes], [32 * MIB, 32 * MIB]);
      await driver.deactivate('other', AT_ONCE);
      await driver.delete(1);
      write(driver, 'a', taken * MIB, pattern(taken, MIB));
      for (let index = 0; index <= taken; index += 1) {
        assert.deepEqual(read(driver, 'a', index * MIB, MIB), pattern(index, MIB), `MiB ${index}`);
      }
    }));

  it('that is full lets writes wait, and does them when its data device is made larger', () =>
    scene({ dataBytes: 16 * MIB }, async (subject) => {
      await subject.driver.createThin(1);
      await subject.driver.activate('a', 1, 64 * MIB);
      write(subject.driver, 'a', 0, pattern(1, 16 * MIB));
      const user = await open(subject.driver.path('a'), 'r+');
      await user.write(pattern(2, MIB), 0, MIB, 20 * MIB);
      let isDone = false;
      const flushed = user.sync().then(() => {
        isDone = true;
      });
      await sleep(300);
      assert.equal(isDone, false);
      truncateSync(subject.paths.dataPath, 32 * MIB);
      const driver = await subject.reopen();
      await flushed;
      await user.close();
      assert.equal((await driver.status()).dataTotalBytes, 32 * MIB);
      assert.deepEqual(read(driver, 'a', 20 * MIB, MIB), pattern(2, MIB));
      assert.deepEqual(read(driver, 'a', 0, 16 * MIB), pattern(1, 16 * MIB));
    }));

  it('whose metadata are full says so, and has all devices again when they have room', () =>
    scene({ metadataBytes: 128 * 1024 }, async (subject) => {
      const made: number[] = [];
      const failure = await (async () => {
        for (let id = 1; id < 5000; id += 1) {
          await subject.driver.createThin(id);
          made.push(id);
        }
        return undefined;
      })().catch((error: unknown) => error);
      assert.ok(failure instanceof DunnageError && ['NO_SPACE', 'CORRUPT'].includes(failure.code), String(failure));
      assert.ok(failure.remedy !== undefined);
      await putAway(subject);
      truncateSync(subject.paths.metadataPath, 4 * MIB);
      const options = { native, pool: subject.pool, ...subject.paths };
      await repairDeviceMapperPool(options, join(subject.folder, 'repair'));
      const driver = await subject.reopen();
      const listed = new Set((await driver.list()).map(({ id }) => id));
      assert.deepEqual(
        made.filter((id) => !listed.has(id)),
        [],
      );
      await driver.createThin(100_000);
    }));

  it('whose metadata are damaged is not put into service, and is whole after a repair', () =>
    scene({}, async (subject) => {
      await subject.driver.createThin(1);
      await subject.driver.activate('a', 1, 16 * MIB);
      write(subject.driver, 'a', 0, pattern(1, 4 * MIB));
      const options = { native, pool: subject.pool, ...subject.paths };
      await assert.rejects(checkDeviceMapperPool(options), { code: 'BUSY' });
      await assert.rejects(repairDeviceMapperPool(options, subject.folder), { code: 'BUSY' });
      await putAway(subject, 'a');
      assert.equal(await checkDeviceMapperPool(options), undefined);
      // The space map of the metadata: a repair makes it anew from the mappings.
      const block = spaceMapBlock(subject.paths.metadataPath);
      damage(subject.paths.metadataPath, block * 4096, 4096);
      assert.match((await checkDeviceMapperPool(options)) ?? '', /thin_check/);
      await assert.rejects(subject.reopen(), { code: 'CORRUPT', remedy: /repair/ });
      const { problem, saved } = await repairDeviceMapperPool(options, join(subject.folder, 'repair'));
      assert.ok(problem !== undefined && saved !== undefined);
      const bytes = Buffer.alloc(4096);
      const file = openSync(saved, 'r');
      readSync(file, bytes, 0, 4096, block * 4096);
      closeSync(file);
      assert.ok(bytes.every((byte) => byte === 0xa5));
      const driver = await subject.reopen();
      await driver.activate('a', 1, 16 * MIB);
      assert.deepEqual(read(driver, 'a', 0, 4 * MIB), pattern(1, 4 * MIB));
    }));

  it('tells where a device and its snapshot differ', () =>
    scene({}, async ({ driver }) => {
      await driver.createThin(1);
      await driver.activate('a', 1, 16 * MIB);
      write(driver, 'a', 0, pattern(1, 4 * MIB));
      await driver.suspend('a');
      await driver.createSnapshot(2, 1);
      await driver.resume('a');
      assert.deepEqual(await driver.differences(1, 2), []);
      write(driver, 'a', MIB, pattern(2, 65_536));
      write(driver, 'a', 8 * MIB, pattern(3, 131_072));
      assert.deepEqual(await driver.differences(1, 2), [
        { offsetBytes: MIB, lengthBytes: 65_536 },
        { offsetBytes: 8 * MIB, lengthBytes: 131_072 },
      ]);
    }));

  it('forgets nodes of devices that are gone: their numbers mean others now', () =>
    scene({}, async (subject) => {
      await subject.driver.createThin(1);
      await subject.driver.activate('old', 1, 16 * MIB);
      await subject.driver.createThin(2);
      await subject.forget();
      const driver = await subject.reopen();
      assert.throws(() => openSync(driver.path('old'), 'r'), { code: 'ENOENT' });
      await driver.activate('new', 2, 16 * MIB);
      assert.throws(() => openSync(driver.path('old'), 'r'), { code: 'ENOENT' });
      closeSync(openSync(driver.path('new'), 'r'));
    }));
});
