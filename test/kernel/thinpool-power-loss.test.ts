/**
 * Power failures, for both drivers: the kernel records every write to a disk on which everything lies (the metadata's own file system too), while
 * devices are made, written, copied and removed. Then disks are made as they could have been left at any moment: what was flushed, and any
 * part of what was written since. On each of them the pool is what it was before the operation under way, or after it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { loadNative } from '../../src/native/load.ts';
import { Store } from '../../src/store/store.ts';
import { createDeviceMapperPool } from '../../src/thinpool/device-mapper/create-pool.ts';
import { DeviceMapperDriver } from '../../src/thinpool/device-mapper/device-mapper-driver.ts';
import type { PoolDriver } from '../../src/thinpool/driver.ts';
import type { PoolDevice } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../src/thinpool/reflink/reflink-driver.ts';
import {
  assertInOrder,
  expected,
  type Model,
  observe,
  type PoolOperation,
  perform,
} from '../conformance/thinpool/crash-model.ts';
import { openPool } from '../conformance/thinpool/pool-subject.ts';
import { MIB, thenCleanUp } from '../conformance/thinpool/subject.ts';
import { skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';
import { diskBytes, SlicedDisk, type Slices } from './helpers/sliced-disk.ts';
import { type LoggedWrite, lastFlushBefore, readWriteLog, replay } from './helpers/write-log.ts';

const STATE = { state: 48 * MIB } as const;
const LOG_BYTES = 1024 * MIB;
/** Moments at which the power fails, of each driver; others in each run. */
const FAILURES = Number(process.env['DUNNAGE_POWER_FAILURES'] ?? 8);
const NAMES_MAX = 3;

const OPERATIONS: readonly PoolOperation[] = [
  { kind: 'create', name: 'a' },
  { kind: 'write', name: 'a', content: 1 },
  { kind: 'snapshot', origin: 'a', name: 'b' },
  { kind: 'write', name: 'a', content: 2 },
  { kind: 'grow', name: 'a' },
  { kind: 'deactivate', name: 'b' },
  { kind: 'create', name: 'c' },
  { kind: 'write', name: 'c', content: 3 },
  { kind: 'remove', name: 'a' },
  { kind: 'activate', name: 'b' },
  { kind: 'snapshot', origin: 'b', name: 'a' },
  { kind: 'write', name: 'b', content: 4 },
  { kind: 'remove', name: 'c' },
  { kind: 'suspend', name: 'b' },
  { kind: 'remove', name: 'b' },
];

interface Kind {
  readonly slices: Slices;
  /** A new pool on the slices. */
  create(disk: SlicedDisk, runtimeDir: string): Promise<void>;
  driver(disk: SlicedDisk, runtimeDir: string): PoolDriver;
  /** Throws if what the pool lies on is damaged. It is out of service. */
  check(disk: SlicedDisk): void;
}

const mapperOptions = (disk: SlicedDisk, runtimeDir: string) => ({
  native: loadNative(),
  pool: 'power',
  dataPath: disk.path('data'),
  metadataPath: disk.path('metadata'),
  nodesDirectory: join(runtimeDir, 'dev'),
  log: silentLog,
});
const reflinkOptions = (disk: SlicedDisk, runtimeDir: string): ReflinkOptions => ({
  poolName: 'power',
  place: { kind: 'device', path: disk.path('pool') },
  runtimeDir,
  log: silentLog,
});

const KINDS: Readonly<Record<'devicemapper' | 'reflink', Kind>> = {
  devicemapper: {
    slices: { ...STATE, metadata: 4 * MIB, data: 64 * MIB },
    create: (disk, runtimeDir) => createDeviceMapperPool(mapperOptions(disk, runtimeDir)),
    driver: (disk, runtimeDir) => new DeviceMapperDriver(mapperOptions(disk, runtimeDir)),
    check: (disk) => void execFileSync('thin_check', ['-q', disk.path('metadata')]),
  },
  reflink: {
    slices: { ...STATE, pool: 304 * MIB },
    create: (disk, runtimeDir) => ReflinkDriver.create(reflinkOptions(disk, runtimeDir)),
    driver: (disk, runtimeDir) => new ReflinkDriver(reflinkOptions(disk, runtimeDir)),
    check: (disk) => void execFileSync('xfs_repair', ['-n', disk.path('pool')], { stdio: 'ignore' }),
  },
};

/** What runs on a disk from one start of the host to the next. */
class Host {
  readonly disk: SlicedDisk;
  readonly pool: PoolDevice;
  readonly driver: PoolDriver;
  readonly #store: Store;
  readonly #stateFolder: string;

  private constructor(disk: SlicedDisk, stateFolder: string, store: Store, driver: PoolDriver, pool: PoolDevice) {
    this.disk = disk;
    this.driver = driver;
    this.pool = pool;
    this.#store = store;
    this.#stateFolder = stateFolder;
  }

  static async start(kind: Kind, disk: SlicedDisk, folder: string): Promise<Host> {
    const stateFolder = join(folder, 'state');
    const runtimeDir = join(folder, 'run');
    for (const path of [stateFolder, runtimeDir]) mkdirSync(path, { recursive: true });
    execFileSync('mount', ['-t', 'ext4', disk.path('state'), stateFolder]);
    // By its name the store knows that the host has been restarted.
    const store = Store.open({ stateDir: join(stateFolder, 'dunnage'), log: silentLog, bootId: randomUUID() });
    const metadata = new PoolMetadata(store, 'power');
    const driver = kind.driver(disk, runtimeDir);
    return new Host(disk, stateFolder, store, driver, await openPool(driver, metadata, { discardBlocks: true }));
  }

  async stop(): Promise<void> {
    await this.pool.removePool();
    await this.pool.close();
    await this.#store.close();
    execFileSync('umount', [this.#stateFolder]);
  }
}

function makeFile(path: string, sizeBytes: number): string {
  const file = openSync(path, 'wx');
  ftruncateSync(file, sizeBytes);
  closeSync(file);
  return path;
}

function copySparsely(from: string, to: string): void {
  rmSync(to, { force: true });
  execFileSync('cp', ['--sparse=always', from, to]);
}

/** The disk before the first operation in `disk`, and what was written then in `log`. Returns the models after each operation. */
async function record(kind: Kind, folder: string, paths: { disk: string; log: string }): Promise<readonly Model[]> {
  const prefix = 'first';
  const fresh = await SlicedDisk.open(prefix, makeFile(paths.disk, diskBytes(kind.slices)), kind.slices);
  execFileSync('mkfs.ext4', ['-q', fresh.path('state')]);
  const runtimeDir = join(folder, 'create');
  mkdirSync(runtimeDir);
  await kind.create(fresh, runtimeDir);
  await (await Host.start(kind, fresh, join(folder, 'empty'))).stop();
  await fresh.close();

  const working = join(folder, 'working');
  copySparsely(paths.disk, working);
  const disk = await SlicedDisk.open(prefix, working, kind.slices, makeFile(paths.log, LOG_BYTES));
  const host = await Host.start(kind, disk, join(folder, 'recorded'));
  const models: Model[] = [{}];
  for (const operation of OPERATIONS) {
    await disk.mark(`${models.length}`);
    const wanted = expected(models.at(-1) ?? {}, operation);
    assert.ok('model' in wanted);
    await perform(host.pool, operation);
    models.push(wanted.model);
  }
  await disk.mark('end');
  await host.stop();
  await disk.close();
  rmSync(working);
  return models;
}

/** A moment, and which of the writes since the last flush the disk has not done. */
interface Failure {
  readonly cut: number;
  readonly seed: number;
}

/** Spread over the operations, at any of their writes. */
function chooseFailures(entries: readonly LoggedWrite[]): readonly Failure[] {
  const marks = entries.flatMap(({ mark }, index) => (mark === undefined ? [] : [index]));
  const spans = OPERATIONS.map((_, index) => [(marks[index] ?? 0) + 1, (marks[index + 1] ?? 0) + 1] as const);
  const first = randomInt(spans.length);
  return Array.from({ length: FAILURES }, (_, index) => {
    const [from, to] = spans[(first + Math.floor((index * spans.length) / FAILURES)) % spans.length] ?? [0, 1];
    return { cut: randomInt(from, to), seed: randomInt(2 ** 31) };
  });
}

/** Any part: from nothing to all. */
function* survivors(since: readonly LoggedWrite[], seed: number): Iterable<LoggedWrite> {
  const share = seed % 5;
  let state = seed;
  for (const write of since) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    if (write.isForced || (state >>> 16) % 4 < share) yield write;
  }
}

const describeModel = (model: Model): string =>
  JSON.stringify(Object.entries(model).sort(([one], [other]) => (one < other ? -1 : 1)));
/** No suspension outlives a power failure. */
const afterStart = (model: Model): Model =>
  Object.fromEntries(Object.entries(model).map(([name, device]) => [name, { ...device, isSuspended: false }]));

async function verify(kind: Kind, folder: string, diskPath: string, candidates: readonly Model[]): Promise<void> {
  const disk = await SlicedDisk.open('next', diskPath, kind.slices);
  const host = await Host.start(kind, disk, folder);
  const [before, after] = candidates.map(afterStart);
  const seen = await observe(host.pool, { ...before, ...after });
  assert.ok(
    candidates.some((model) => describeModel(afterStart(model)) === describeModel(seen)),
    `neither old nor new: ${describeModel(seen)} instead of ${candidates.map(describeModel).join(' or ')}`,
  );
  await assertInOrder(host.pool, host.driver, NAMES_MAX);
  // What was not active is looked into as well.
  for (const name of Object.keys(seen)) await host.pool.activateDevice(name);
  const whole = await observe(host.pool, {});
  for (const [name, { content }] of Object.entries(seen)) assert.equal(whole[name]?.content, content, name);
  await host.stop();
  kind.check(disk);
  await disk.close();
}

function obstacle(): string | false {
  const reason = skipUnlessDeviceMapper();
  if (reason !== false) return reason;
  return existsSync('/sys/module/dm_log_writes') ? false : 'needs dm-log-writes in the kernel';
}

describe('a power failure', { skip: obstacle() }, () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    it(`[S239] of the driver ${name} leaves the pool as it was before the operation under way, or after it`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'dunnage-power-'));
      const flushed = join(folder, 'flushed');
      const paths = { disk: flushed, log: join(folder, 'log') };
      const body = async (): Promise<void> => {
        const models = await record(kind, folder, paths);
        const entries = readWriteLog(paths.log);
        const failures = [...chooseFailures(entries)].sort((one, other) => one.cut - other.cut);
        t.diagnostic(`${entries.length} writes, flushes and marks; ${failures.length} failures`);
        let done = 0;
        for (const { cut, seed } of failures) {
          const safe = lastFlushBefore(entries, cut);
          replay(paths.log, entries.slice(done, safe), flushed);
          done = safe;
          const failed = join(folder, 'failed');
          copySparsely(flushed, failed);
          replay(paths.log, [...survivors(entries.slice(safe, cut), seed)], failed);
          const operation = entries.slice(0, cut).filter(({ mark }) => mark !== undefined).length;
          const candidates = models.slice(operation - 1, operation + 1);
          try {
            await verify(kind, join(folder, `failed-${cut}`), failed, candidates);
          } catch (error) {
            const where = `at write ${cut} of ${entries.length}, ${JSON.stringify(OPERATIONS[operation - 1])}`;
            throw new Error(
              `the power failed ${where}, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`,
            );
          }
        }
      };
      await thenCleanUp(body, async () => rmSync(folder, { recursive: true, force: true }));
    });
  }
});
