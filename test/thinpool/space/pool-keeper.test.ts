import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Log } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { DriverKind, PoolStatus } from '../../../src/thinpool/driver.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { PoolKeeper, type PoolKeeperOptions } from '../../../src/thinpool/space/pool-keeper.ts';
import type { TrimReport } from '../../../src/thinpool/space/trim-pool.ts';
import { FileDriver } from '../helpers/file-driver.ts';

const GIBIBYTE = 1024 ** 3;
const HOUR_MS = 3_600_000;

/** Its figures are what the test says. */
class FigureDriver extends FileDriver {
  readonly figures = { usedBytes: 0, isFrozen: false, looks: 0 };
  override readonly kind: DriverKind;
  failure: string | undefined;
  listener: (() => void) | undefined;

  constructor(root: string, kind: DriverKind) {
    super(root);
    this.kind = kind;
  }

  override async status(): Promise<PoolStatus> {
    this.figures.looks += 1;
    if (this.failure !== undefined) throw new DunnageError('IO', this.failure);
    return {
      ...(await super.status()),
      dataUsedBytes: this.figures.usedBytes,
      dataTotalBytes: 10 * GIBIBYTE,
      promisableBytes: 10 * GIBIBYTE,
      areWritersStopped: this.figures.isFrozen,
    };
  }

  async watch(onEvent: () => void): Promise<() => void> {
    this.listener = onEvent;
    return () => {
      this.listener = undefined;
    };
  }
}

describe('the keeper of a pool', () => {
  let folder: string;
  let metadata: PoolMetadata;
  let driver: FigureDriver;
  let keeper: PoolKeeper;
  let told: EventEmitter;
  let trims: string[];
  let nowMs: number;
  let errors: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dunnage-keeper-'));
    metadata = PoolMetadata.open({ stateDir: join(folder, 'state'), pool: 'p', log: silentLog });
    told = new EventEmitter();
    trims = [];
    errors = [];
    nowMs = 1_000_000_000;
  });
  afterEach(async () => {
    await keeper.close();
    await metadata.close();
    rmSync(folder, { recursive: true });
  });

  const log: Log = { ...silentLog, error: (_, message) => void errors.push(message) };

  async function start(more: Partial<PoolKeeperOptions> = {}, kind: DriverKind = 'reflink'): Promise<void> {
    driver = new FigureDriver(join(folder, 'pool'), kind);
    await driver.open();
    keeper = new PoolKeeper({
      driver,
      metadata,
      log,
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      lookEveryMs: 1_000_000,
      onEvent: ({ kind: event }) => void told.emit(event),
      onTrim: (report) => void told.emit('trim', report),
      trim: async (path) => {
        trims.push(path);
        return 1;
      },
      ...more,
    });
    await keeper.start();
  }

  async function device(name: string): Promise<void> {
    const { deviceId } = await metadata.addDevice({ name, sizeBytes: 1024 * 1024, state: 'Activated' });
    await driver.createThin(deviceId);
    await driver.activate(name, deviceId, 1024 * 1024);
  }

  const trimmed = async (cause: () => void): Promise<TrimReport> => {
    const trim = once(told, 'trim');
    cause();
    return ((await trim) as [TrimReport])[0];
  };

  it('tells what the kernel has told it of, and has it in its report and its warnings', async () => {
    await start({ overcommit: { highWaterPercent: 90 } });
    assert.deepEqual([keeper.report?.isLow, keeper.warnings], [false, []]);
    driver.figures.usedBytes = 9.5 * GIBIBYTE;
    const low = once(told, 'low');
    driver.listener?.();
    await low;
    assert.equal(keeper.report?.isLow, true);
    assert.match(keeper.warnings[0] ?? '', /high-water mark of 90% \(9.5 GiB of 10 GiB are in use\)/);
    await assert.rejects(keeper.admit(1), { code: 'NO_SPACE' });
    driver.figures.usedBytes = GIBIBYTE;
    const enough = once(told, 'enough');
    keeper.notice();
    await enough;
    assert.deepEqual(keeper.warnings, []);
  });

  it('looks by itself when nobody tells of anything', async () => {
    await start({ overcommit: { highWaterPercent: 90 }, lookEveryMs: 1 });
    const low = once(told, 'low');
    driver.figures.usedBytes = 9.5 * GIBIBYTE;
    await low;
  });

  it('a crowd of events is one look', async () => {
    await start({ overcommit: { highWaterPercent: 90 } });
    const { looks } = driver.figures;
    driver.figures.usedBytes = 9.5 * GIBIBYTE;
    const low = once(told, 'low');
    for (let count = 0; count < 100; count += 1) keeper.notice();
    await low;
    assert.equal(driver.figures.looks, looks + 1);
  });

  it('a pool that cannot be looked at is told of once, and looked at again', async () => {
    await start({ lookEveryMs: 1 });
    driver.failure = 'gone';
    const { looks } = driver.figures;
    while (driver.figures.looks < looks + 5) await new Promise(setImmediate);
    assert.deepEqual(errors, ['a pool cannot be looked at']);
    assert.deepEqual(keeper.warnings, ['its space cannot be looked at: gone']);
    driver.failure = undefined;
    while (keeper.warnings.length > 0) await new Promise(setImmediate);
  });

  it('a sum of sizes is promised to the devices that the metadata know', async () => {
    await start();
    await device('a');
    await metadata.addDevice({ name: 'large', sizeBytes: 9 * GIBIBYTE });
    await assert.rejects(keeper.admit(GIBIBYTE), { code: 'NO_SPACE' });
    (await keeper.admit(GIBIBYTE - 1024 * 1024)).release();
    assert.equal((await keeper.look()).promisedBytes, 9 * GIBIBYTE + 1024 * 1024);
  });

  it('trims when it is time, counted from the last time, also by another process', async () => {
    await start({ trimEveryMs: HOUR_MS });
    await device('a');
    nowMs += HOUR_MS;
    const report = await trimmed(() => keeper.notice());
    assert.deepEqual([trims, report.devices], [[driver.path('a')], [{ name: 'a', freeBytes: 1 }]]);
    assert.equal(metadata.trimmedAtMs, nowMs);
    await keeper.close();
    nowMs += HOUR_MS - 1;
    await start({ trimEveryMs: HOUR_MS });
    assert.equal(trims.length, 1);
    nowMs += 1;
    await trimmed(() => keeper.notice());
    assert.equal(trims.length, 2);
  });

  it('trims before an overcommitted pool is full, and again when a good part of the rest is gone', async () => {
    await start({ trimEveryMs: HOUR_MS, overcommit: { highWaterPercent: 80 } });
    await device('a');
    driver.figures.usedBytes = 6.1 * GIBIBYTE;
    await trimmed(() => keeper.notice());
    driver.figures.usedBytes = 6.2 * GIBIBYTE;
    await keeper.look();
    assert.equal(trims.length, 1);
    driver.figures.usedBytes = 7.2 * GIBIBYTE;
    await trimmed(() => keeper.notice());
    assert.equal(trims.length, 2);
  });

  it('does not touch what is frozen, which would wait; dm-thin goes on with the rest', async () => {
    await start({ trimEveryMs: HOUR_MS, overcommit: { highWaterPercent: 80 } });
    await device('a');
    Object.assign(driver.figures, { usedBytes: 8.1 * GIBIBYTE, isFrozen: true });
    const stopped = once(told, 'writers-stopped');
    keeper.notice();
    await stopped;
    assert.deepEqual(trims, []);
    await keeper.close();
    driver.figures.isFrozen = false;
    await start({ trimEveryMs: HOUR_MS, overcommit: { highWaterPercent: 80 } }, 'devicemapper');
    Object.assign(driver.figures, { usedBytes: 8.1 * GIBIBYTE, isFrozen: true });
    await trimmed(() => keeper.notice());
    assert.equal(trims.length, 1);
  });

  it('never trims where nobody wants it, unless it is asked to', async () => {
    await start({ overcommit: { highWaterPercent: 80 } });
    await device('a');
    nowMs += 1000 * HOUR_MS;
    driver.figures.usedBytes = 8.1 * GIBIBYTE;
    await keeper.look();
    assert.deepEqual(trims, []);
    const [one, other] = await Promise.all([keeper.trim(), keeper.trim()]);
    assert.equal(one, other);
    assert.equal(trims.length, 1);
  });

  it('its end does not wait for what is being trimmed, and nothing more is trimmed', async () => {
    let signal: AbortSignal | undefined;
    let release: (() => void) | undefined;
    await start({
      trim: async (path, given) => {
        trims.push(path);
        signal = given;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return 1;
      },
    });
    await device('a');
    await device('b');
    const trimming = keeper.trim();
    while (release === undefined) await new Promise(setImmediate);
    await keeper.close();
    assert.equal(signal?.aborted, true);
    release();
    await trimming;
    assert.equal(trims.length, 1);
    assert.equal(driver.listener, undefined);
  });
});
