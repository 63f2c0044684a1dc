/** The space of pools of the device-mapper: events of the kernel, a full pool that lets its writers wait, pools that become larger. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import { loadNative } from '../../src/native/load.ts';
import type { CareTarget } from '../../src/thinpool/care/care-target.ts';
import { checkPool } from '../../src/thinpool/care/check-pool.ts';
import { repairPool } from '../../src/thinpool/care/repair-pool.ts';
import { watchDeviceMapper } from '../../src/thinpool/device-mapper/events.ts';
import { PoolDevice } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { MAPPER_PARAMETERS, type PoolSpec } from '../../src/thinpool/pool-spec.ts';
import { PoolKeeper, type PoolKeeperOptions } from '../../src/thinpool/space/pool-keeper.ts';
import { MIB, thenCleanUp } from '../conformance/thinpool/subject.ts';
import { until } from '../tools/until.ts';
import { DeviceMapperSubject, type PoolShape, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';
import { BLOCK_BYTES, blockOf } from './helpers/numbered-blocks.ts';

const DEVICE_BYTES = 16 * MIB;
const BLOCKS = DEVICE_BYTES / BLOCK_BYTES;

interface Scene {
  readonly subject: DeviceMapperSubject;
  readonly pool: PoolDevice;
  readonly keeper: PoolKeeper;
  readonly told: EventEmitter;
  readonly events: string[];
  fill(name: string, seed: number): Writer;
}

interface Writer {
  readonly process: ChildProcess;
  readonly name: string;
  readonly seed: number;
  acknowledged: number;
}

/** Looks by itself only once in a long time: what is told, the kernel has told. */
async function scene(
  shape: PoolShape,
  more: Pick<PoolKeeperOptions, 'overcommit'>,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const subject = await DeviceMapperSubject.make({ ...shape, waitsForSpace: more.overcommit !== undefined });
  const stateDir = join(subject.folder, 'state');
  mkdirSync(stateDir);
  const metadata = PoolMetadata.open({ stateDir, pool: subject.pool, log: silentLog });
  const told = new EventEmitter();
  const events: string[] = [];
  const keeper = new PoolKeeper({
    driver: subject.driver,
    metadata,
    ...more,
    lookEveryMs: 600_000,
    log: silentLog,
    onEvent: ({ kind }) => {
      events.push(kind);
      told.emit(kind);
    },
  });
  const writers: Writer[] = [];
  const fill = (name: string, seed: number): Writer => {
    const program = fileURLToPath(new URL('programs/thin-writer.js', import.meta.url));
    const words = [program, pool.path(name), String(seed), String(BLOCKS)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    const writer: Writer = { process: child, name, seed, acknowledged: 0 };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      writer.acknowledged += text.split('\n').length - 1;
    });
    writers.push(writer);
    return writer;
  };
  const pool = await PoolDevice.open({ driver: subject.driver, metadata, log: silentLog, admit: keeper.admit });
  await thenCleanUp(
    async () => {
      await keeper.start();
      await body({ subject, pool, keeper, told, events, fill });
    },
    async () => {
      await keeper.close();
      // Whoever waits for room can be killed when there is some.
      truncateSync(subject.paths.dataPath, 1024 * MIB);
      await subject.driver.grow({});
      for (const { process: writer } of writers) {
        if (writer.exitCode !== null || writer.signalCode !== null) continue;
        writer.kill('SIGKILL');
        await once(writer, 'close');
      }
      for (const name of metadata.getDeviceNames()) await pool.deactivateDevice(name);
      await metadata.close();
      await subject.cleanup();
    },
  );
}

function assertHas(pool: PoolDevice, { name, seed }: Writer, blocks: number): void {
  const device = openSync(pool.path(name), 'r');
  const content = Buffer.alloc(BLOCK_BYTES);
  for (let block = 0; block < blocks; block += 1) {
    assert.equal(readSync(device, content, 0, BLOCK_BYTES, block * BLOCK_BYTES), BLOCK_BYTES);
    assert.ok(content.equals(blockOf(seed, block)), `block ${block} of ${name}`);
  }
  closeSync(device);
}

function careTarget({ pool, paths, folder }: DeviceMapperSubject, metadata: PoolMetadata): CareTarget {
  const { dataPath, metadataPath } = paths;
  const spec: PoolSpec = {
    name: pool,
    place: {
      kind: 'device-mapper',
      data: { kind: 'file', path: dataPath, sizeBytes: 128 * MIB },
      metadata: { kind: 'file', path: metadataPath, sizeBytes: 4 * MIB },
      format: false,
      parameters: MAPPER_PARAMETERS,
    },
    ...{ deviceSizeBytes: DEVICE_BYTES, discardBlocks: false, asyncRemove: false },
    fileSystem: { type: 'ext4', options: '' },
  };
  const directories = { runtimeDir: join(folder, 'run'), stateDir: folder };
  return { spec, paths: { data: dataPath, metadata: metadataPath }, metadata, ...directories, log: silentLog };
}

/** The bitmaps of the space map of the metadata themselves: a repair makes them anew from the mappings. */
function damageSpaceMap(path: string): void {
  const superblock = Buffer.alloc(4096);
  const file = openSync(path, 'r+');
  readSync(file, superblock, 0, 4096, 0);
  const block = Number(superblock.readBigUInt64LE(192 + 16));
  writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, block * 4096);
  fsyncSync(file);
  closeSync(file);
}

describe('the space of a pool of the device-mapper', { skip: skipUnlessDeviceMapper() }, () => {
  it('the kernel tells of what happens, without a thread that waits for it', async () => {
    const subject = await DeviceMapperSubject.make({});
    const told = new EventEmitter();
    const stop = await watchDeviceMapper(loadNative(), () => void told.emit('event'), silentLog);
    assert.ok(stop !== undefined);
    await thenCleanUp(
      async () => {
        for (let round = 1; round <= 3; round += 1) {
          const event = once(told, 'event');
          await subject.driver.createThin(round);
          await subject.driver.activate(`d${round}`, round, MIB);
          await subject.driver.deactivate(`d${round}`, { deferred: false, force: false });
          await event;
        }
      },
      async () => {
        stop();
        stop();
        await subject.cleanup();
      },
    );
  });

  it('[S241] without overcommit every device and every snapshot that was made can be filled', () =>
    scene({ dataBytes: 5 * DEVICE_BYTES + MIB }, {}, async ({ pool, events, fill, keeper }) => {
      await pool.createThinDevice('d1', DEVICE_BYTES);
      assert.deepEqual(await once(fill('d1', 1).process, 'close'), [0, null]);
      for (const name of ['d2', 'd3']) await pool.createSnapshotDevice('d1', name, DEVICE_BYTES);
      for (const name of ['d4', 'd5']) await pool.createThinDevice(name, DEVICE_BYTES);
      await assert.rejects(pool.createThinDevice('d6', DEVICE_BYTES), { code: 'NO_SPACE' });
      await assert.rejects(pool.growDevice('d2', 2 * DEVICE_BYTES), { code: 'NO_SPACE' });
      // The last one finds every block taken that was not shared, and still overwrites what it shared with the others.
      const first = [4, 5, 2, 1].map((device) => fill(`d${device}`, 10 + device));
      for (const { process: writer } of first) if (writer.exitCode === null) await once(writer, 'close');
      const last = fill('d3', 13);
      assert.deepEqual(await once(last.process, 'close'), [0, null]);
      const writers = [...first, last];
      assert.deepEqual(
        writers.map(({ process: { exitCode }, acknowledged }) => [exitCode, acknowledged]),
        writers.map(() => [0, BLOCKS]),
      );
      for (const writer of writers) assertHas(pool, writer, BLOCKS);
      assert.equal((await keeper.look()).usedBytes, 5 * DEVICE_BYTES);
      assert.ok(!events.includes('writers-stopped') && !events.includes('unbacked'), events.join());
      await pool.removeDevice('d1');
      await pool.createThinDevice('new', DEVICE_BYTES);
    }));

  it('[S242] with overcommit nothing new is made above the mark, and writers of the full pool wait and lose nothing', () =>
    scene({ dataBytes: 128 * MIB }, { overcommit: { highWaterPercent: 50 } }, async (it) => {
      const { subject, pool, told, fill } = it;
      assert.equal(readFileSync('/sys/module/dm_thin_pool/parameters/no_space_timeout', 'utf8').trim(), '0');
      for (let device = 1; device <= 10; device += 1) await pool.createThinDevice(`d${device}`, DEVICE_BYTES);
      const stopped = once(told, 'writers-stopped');
      const writers = Array.from({ length: 10 }, (_, index) => fill(`d${index + 1}`, index + 1));
      await stopped;
      await assert.rejects(pool.createThinDevice('more', DEVICE_BYTES), { code: 'NO_SPACE' });
      assert.match(it.keeper.warnings[0] ?? '', /who writes waits/);
      const sum = (): number => writers.reduce((total, { acknowledged }) => total + acknowledged, 0);
      assert.ok(sum() < 10 * BLOCKS);
      const resumed = once(told, 'writers-resumed');
      truncateSync(subject.paths.dataPath, 256 * MIB);
      await subject.driver.grow({});
      await resumed;
      for (const { process: writer } of writers) if (writer.exitCode === null) await once(writer, 'close');
      for (const writer of writers) {
        assert.deepEqual([writer.process.exitCode, writer.acknowledged], [0, BLOCKS], writer.name);
        assertHas(pool, writer, BLOCKS);
      }
    }));

  it('what is removed from a full pool lets its writers go on', () =>
    scene({ dataBytes: 128 * MIB }, { overcommit: { highWaterPercent: 50 } }, async ({ pool, told, fill }) => {
      for (let device = 1; device <= 10; device += 1) await pool.createThinDevice(`d${device}`, DEVICE_BYTES);
      assert.deepEqual(await once(fill('d1', 1).process, 'close'), [0, null]);
      assert.deepEqual(await once(fill('d2', 2).process, 'close'), [0, null]);
      const stopped = once(told, 'writers-stopped');
      const writers = Array.from({ length: 8 }, (_, index) => fill(`d${index + 3}`, index + 3));
      await stopped;
      const resumed = once(told, 'writers-resumed');
      await pool.removeDevice('d1');
      await pool.removeDevice('d2');
      await resumed;
      for (const { process: writer } of writers) if (writer.exitCode === null) await once(writer, 'close');
      for (const writer of writers) {
        assert.deepEqual([writer.process.exitCode, writer.acknowledged], [0, BLOCKS], writer.name);
        assertHas(pool, writer, BLOCKS);
      }
    }));

  it('data and metadata become larger under their users', async () => {
    const subject = await DeviceMapperSubject.make({ dataBytes: 32 * MIB, metadataBytes: 2 * MIB });
    await thenCleanUp(
      async () => {
        const { driver, paths } = subject;
        await driver.createThin(1);
        await driver.activate('a', 1, 16 * MIB);
        const user = openSync(driver.path('a'), 'r+');
        await driver.grow({ dataBytes: 64 * MIB, metadataBytes: 4 * MIB });
        const { dataTotalBytes, metadataTotalBytes } = await driver.status();
        assert.deepEqual([dataTotalBytes, metadataTotalBytes], [64 * MIB, 4 * MIB]);
        assert.ok(statSync(paths.dataPath).blocks * 512 >= 64 * MIB);
        await driver.grow({ dataBytes: 64 * MIB });
        await driver.grow({});
        await assert.rejects(driver.grow({ dataBytes: 32 * MIB }), { code: 'INVALID_ARGUMENT' });
        closeSync(user);
        await driver.deactivate('a', { deferred: false, force: false });
      },
      () => subject.cleanup(),
    );
  });

  it('damaged metadata are found by the check of a pool, and made whole by its repair', async () => {
    const subject = await DeviceMapperSubject.make({});
    const { folder, pool, driver, paths } = subject;
    const metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool, log: silentLog });
    await thenCleanUp(
      async () => {
        await driver.createThin(1);
        await assert.rejects(checkPool(careTarget(subject, metadata)), { code: 'BUSY' });
        await driver.destroy();
        await driver.close();
        const target = careTarget(subject, metadata);
        assert.deepEqual(await checkPool(target), { repaired: [], remaining: [], notes: [] });
        damageSpaceMap(paths.metadataPath);
        assert.deepEqual(
          (await checkPool(target)).remaining.map(({ object, repairable }) => [object, repairable]),
          [['metadata', true]],
        );
        const { repaired, remaining, notes } = await repairPool(target);
        assert.deepEqual([repaired.map(({ object }) => object), remaining], [['metadata'], []]);
        assert.match(notes.join(), /the damaged metadata are kept in .*damaged/);
        assert.equal((await (await subject.reopen()).list()).length, 1);
      },
      async () => {
        await metadata.close();
        await subject.cleanup();
      },
    );
  });

  it('metadata that run short are told of before they are full, and nothing new is made', () =>
    scene({ metadataBytes: 128 * 1024 }, {}, async ({ pool, told, keeper }) => {
      let made = 0;
      const low = once(told, 'metadata-low');
      const failure = await until('it is refused', async () => {
        made += 1;
        return await pool.createThinDevice(`d${made}`, 65_536).then(
          () => undefined,
          (error: unknown) => error,
        );
      });
      assert.match(String(failure), /the metadata of the pool are almost full/);
      await low;
      const { isReadOnly, needsCheck } = await pool.status();
      assert.deepEqual([isReadOnly, needsCheck], [false, false]);
      assert.match(keeper.warnings[0] ?? '', /metadata device larger/);
    }));
});
