/** Pools that are filled to the last block, with and without overcommit: every acknowledged byte is there afterwards. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import { freezerProgramPath } from '../../src/native/programs.ts';
import { PoolDevice } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { ReflinkDriver, type ReflinkGuard, type ReflinkOptions } from '../../src/thinpool/reflink/reflink-driver.ts';
import { WriteGuard } from '../../src/thinpool/reflink/write-guard.ts';
import { type Overcommit, PoolSpace } from '../../src/thinpool/space/pool-space.ts';
import { detachBelow } from '../thinpool/helpers/reflink-subject.ts';
import { skipUnlessScratch } from '../tools/scratch-file-system.ts';
import { until } from '../tools/until.ts';
import { BLOCK_BYTES, blockOf } from './helpers/numbered-blocks.ts';

const MEBIBYTE = 1024 * 1024;
const POOL_BYTES = 400 * MEBIBYTE;
const DEVICE_BYTES = 64 * MEBIBYTE;
const BLOCKS = DEVICE_BYTES / BLOCK_BYTES;

/** What a process writes to a device, and how much of it was acknowledged. */
interface Writer {
  readonly process: ChildProcess;
  readonly name: string;
  readonly seed: number;
  acknowledged: number;
}

describe('a pool that is filled', { skip: skipUnlessScratch('xfs') }, () => {
  let folder: string;
  let options: ReflinkOptions;
  let driver: ReflinkDriver;
  let metadata: PoolMetadata;
  let pool: PoolDevice;
  let events: string[];
  let stops: EventEmitter<{ stopped: []; resumed: [] }>;
  const writers: Writer[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dunnage-full-'));
    events = [];
    stops = new EventEmitter();
  });
  afterEach(async () => {
    // With nothing frozen any more whoever is killed ends.
    await pool.close();
    await endGuard();
    for (const { process: writer } of writers.splice(0)) {
      if (writer.exitCode === null && writer.signalCode === null) {
        writer.kill('SIGKILL');
        await once(writer, 'close');
      }
    }
    await metadata.close();
    await detachBelow(join(options.runtimeDir, 'pools'));
    const mounted = join(options.runtimeDir, 'pools/p/fs');
    if ((await findMount(mounted)) !== undefined) execFileSync('umount', [mounted]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** It outlives the driver; nothing is frozen then. */
  async function endGuard(): Promise<void> {
    const place = join(options.runtimeDir, 'pools/p');
    const socketPath = join(place, 'guard.sock');
    if (!existsSync(socketPath)) return;
    const guard = await WriteGuard.start({
      programPath: freezerProgramPath(),
      socketPath,
      directory: join(place, 'fs'),
      freezeBelowBytes: 0,
      thawAboveBytes: 0,
      onChange: () => undefined,
      log: silentLog,
    });
    await guard.stop();
  }

  async function openPool(overcommit?: Overcommit): Promise<void> {
    const guard: ReflinkGuard | undefined =
      overcommit === undefined
        ? undefined
        : { ...overcommit, onChange: (isFrozen) => stops.emit(isFrozen ? 'stopped' : 'resumed') };
    options = {
      poolName: 'p',
      place: { kind: 'file', path: join(folder, 'pool') },
      runtimeDir: join(folder, 'run'),
      log: silentLog,
      ...(guard === undefined ? {} : { guard }),
    };
    await ReflinkDriver.create(options, POOL_BYTES);
    driver = new ReflinkDriver(options);
    metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: 'p', log: silentLog });
    const space = new PoolSpace({
      driver,
      promisedBytes: () => [...metadata.walkDevices()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      ...(overcommit === undefined ? {} : { overcommit }),
      onEvent: ({ kind }) => events.push(kind),
    });
    pool = await PoolDevice.open({ driver, metadata, log: silentLog, admit: (sizeBytes) => space.admit(sizeBytes) });
  }

  /** Begins to fill a device from its beginning. */
  function fill(name: string, seed: number): Writer {
    const program = fileURLToPath(new URL('programs/thin-writer.js', import.meta.url));
    const words = [program, pool.path(name), String(seed), String(BLOCKS)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const writer: Writer = { process: child, name, seed, acknowledged: 0 };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      writer.acknowledged += text.split('\n').length - 1;
    });
    writers.push(writer);
    return writer;
  }

  function assertHas(name: string, seed: number, blocks: number): void {
    const device = openSync(pool.path(name), 'r');
    const content = Buffer.alloc(BLOCK_BYTES);
    for (let block = 0; block < blocks; block += 1) {
      assert.equal(readSync(device, content, 0, BLOCK_BYTES, block * BLOCK_BYTES), BLOCK_BYTES);
      assert.ok(content.equals(blockOf(seed, block)), `block ${block} of ${name}`);
    }
    closeSync(device);
  }

  it('without overcommit every device and every snapshot that was made can be filled', async () => {
    await openPool();
    await pool.createThinDevice('d1', DEVICE_BYTES);
    const first = fill('d1', 1);
    assert.deepEqual(await once(first.process, 'close'), [0, null]);
    let made = 1;
    for (;;) {
      const name = `d${made + 1}`;
      const creation =
        made < 3 ? pool.createSnapshotDevice('d1', name, DEVICE_BYTES) : pool.createThinDevice(name, DEVICE_BYTES);
      const failure = await creation.then(
        () => undefined,
        (error: unknown) => error as { code?: string },
      );
      if (failure !== undefined) {
        assert.equal(failure.code, 'NO_SPACE');
        break;
      }
      made += 1;
    }
    // Two snapshots at least, and not one device more than there is room for.
    assert.ok(made >= 4 && made * DEVICE_BYTES <= POOL_BYTES, `${made} devices`);
    assert.deepEqual(events, ['refused']);
    await assert.rejects(pool.growDevice('d2', 2 * DEVICE_BYTES), { code: 'NO_SPACE' });
    for (let device = 1; device <= made; device += 1) {
      const writer = fill(`d${device}`, 100 + device);
      assert.deepEqual(await once(writer.process, 'close'), [0, null], `d${device} of ${made}`);
      assert.equal(writer.acknowledged, BLOCKS);
    }
    for (let device = 1; device <= made; device += 1) assertHas(`d${device}`, 100 + device, BLOCKS);
    // What is removed can be promised again.
    await pool.removeDevice('d1');
    await pool.createThinDevice('new', DEVICE_BYTES);
  });

  it('with overcommit writers wait before the pool is full, lose nothing, and go on when space is back', async () => {
    await openPool({ highWaterPercent: 80 });
    for (let device = 1; device <= 8; device += 1) await pool.createThinDevice(`d${device}`, DEVICE_BYTES);
    const stopped = once(stops, 'stopped');
    const filling = [1, 2, 3, 4, 5, 6].map((device) => fill(`d${device}`, device));
    await stopped;
    // What was under way is told, and then there is silence.
    await sleep(300);
    const before = filling.map(({ acknowledged }) => acknowledged);
    await sleep(300);
    assert.deepEqual(
      filling.map(({ acknowledged }) => acknowledged),
      before,
    );
    assert.ok(before.some((blocks) => blocks < BLOCKS));
    assert.ok(filling.every(({ process: writer }) => writer.exitCode === null || writer.exitCode === 0));
    await assert.rejects(pool.createThinDevice('more', DEVICE_BYTES), { code: 'NO_SPACE' });
    assert.equal(metadata.findDevice('more'), undefined);
    assert.deepEqual(events, ['filling', 'low', 'writers-stopped', 'refused']);

    // One that is not in use holds a good part of it: written before the others were.
    const gone = filling.pop() as Writer;
    gone.process.kill('SIGKILL');
    await pool.removeDevice('d8');
    const resumed = once(stops, 'resumed');
    const removal = pool.removeDevice(gone.name);
    await resumed;
    await removal;
    await until('somebody goes on', () =>
      filling.some(({ acknowledged }, index) => acknowledged > (before[index] ?? 0)),
    );
    await pool.close();
    for (const writer of filling) writer.process.kill('SIGKILL');
    await endGuard();
    await until('all have ended', () =>
      filling.every(({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null),
    );
    for (const { name, seed, acknowledged } of filling) assertHas(name, seed, acknowledged);
  });

  it('while writers wait the pool can be asked, and even what they write to can be taken from them', async () => {
    await openPool({ highWaterPercent: 80 });
    for (const name of ['d1', 'd2', 'd3', 'd4', 'd5', 'd6']) await pool.createThinDevice(name, DEVICE_BYTES);
    const stopped = once(stops, 'stopped');
    const filling = [1, 2, 3, 4, 5, 6].map((device) => fill(`d${device}`, device));
    await stopped;
    // One of them is killed: it goes on waiting in the kernel, and so does whoever opens its device.
    const waiting = filling.find(({ process: writer }) => writer.exitCode === null) as Writer;
    waiting.process.kill('SIGKILL');
    assert.equal((await driver.list()).length, 6);
    assert.equal(await pool.isLoaded(waiting.name), true);
    assert.equal((await pool.status()).areWritersStopped, true);
    const resumed = once(stops, 'resumed');
    await pool.removeDevice(waiting.name);
    // What is written to by somebody who lives is not waited for.
    await driver.deactivate('d6', { deferred: false, force: false }).catch(() => undefined);
    for (const { process: writer } of filling) writer.kill('SIGKILL');
    for (const { name } of filling.slice(0, 4)) {
      if (pool.metadata.findDevice(name) !== undefined) await pool.removeDevice(name);
    }
    await resumed;
  });
});
