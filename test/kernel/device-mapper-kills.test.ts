/**
 * Processes that are killed with SIGKILL in the middle of what they do to a pool of the device-mapper, at each point between two changes: of the
 * kernel's devices, or of the metadata. The next process has the pool as it was before the operation, or after it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { loadNative } from '../../src/native/load.ts';
import { createDeviceMapperPool } from '../../src/thinpool/device-mapper/create-pool.ts';
import { repairDeviceMapperPool } from '../../src/thinpool/device-mapper/maintenance.ts';
import type { PoolDevice } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import {
  assertInOrder,
  DEVICE_BYTES,
  expected,
  type Model,
  observe,
  type PoolOperation,
  perform,
} from '../conformance/thinpool/crash-model.ts';
import { openPool } from '../conformance/thinpool/pool-subject.ts';
import { MIB, pattern, read, thenCleanUp, write } from '../conformance/thinpool/subject.ts';
import { DeviceMapperSubject, type PoolShape, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';
import type { DyingPool } from './programs/dying-pool.ts';

/** A kernel in user mode takes two seconds for each death: only every so many points, another choice in each run. 1: all of them. */
const STRIDE = Number(process.env['DUNNAGE_KILL_STRIDE'] ?? 14);
const POINTS_MAX = 60;
const PREPARATION: readonly PoolOperation[] = [
  { kind: 'create', name: 'a' },
  { kind: 'write', name: 'a', content: 1 },
];
const OPERATIONS: readonly PoolOperation[] = [
  { kind: 'create', name: 'b' },
  { kind: 'snapshot', origin: 'a', name: 'b' },
  { kind: 'suspend', name: 'a' },
  { kind: 'resume', name: 'a' },
  { kind: 'deactivate', name: 'a' },
  { kind: 'activate', name: 'a' },
  { kind: 'grow', name: 'a' },
  { kind: 'remove', name: 'a' },
];
/** What must have been done before. */
const FIRST: Readonly<Partial<Record<PoolOperation['kind'], PoolOperation>>> = {
  resume: { kind: 'suspend', name: 'a' },
  activate: { kind: 'deactivate', name: 'a' },
};

class KillScene {
  readonly subject: DeviceMapperSubject;
  readonly #stateDir: string;

  private constructor(subject: DeviceMapperSubject, stateDir: string) {
    this.subject = subject;
    this.#stateDir = stateDir;
  }

  static async run(shape: PoolShape, body: (scene: KillScene) => Promise<void>): Promise<void> {
    const stateDir = mkdtempSync(join(tmpdir(), 'dunnage-kill-'));
    const subject = await DeviceMapperSubject.make(shape);
    await thenCleanUp(
      () => body(new KillScene(subject, stateDir)),
      async () => {
        await subject.cleanup();
        rmSync(stateDir, { recursive: true, force: true });
      },
    );
  }

  /** While it is open here no other process has it. */
  async open<T>(use: (pool: PoolDevice) => Promise<T>): Promise<T> {
    const metadata = PoolMetadata.open({ stateDir: this.#stateDir, pool: 'test', log: silentLog });
    try {
      const pool = await openPool(await this.subject.reopen(), metadata);
      const result = await use(pool);
      await pool.close();
      return result;
    } finally {
      await metadata.close();
    }
  }

  /** Another process makes the operation. Returns whether it was killed. */
  die(operation: PoolOperation, pointsBefore: number): boolean {
    const nodesDirectory = join(this.subject.folder, 'dev');
    const paths = { pool: this.subject.pool, ...this.subject.paths, nodesDirectory, stateDir: this.#stateDir };
    const settings: DyingPool = { ...paths, operation, pointsBefore };
    const program = fileURLToPath(new URL('./programs/dying-pool.js', import.meta.url));
    const { signal, stdout, stderr } = spawnSync(process.execPath, [program, JSON.stringify(settings)], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.ok(signal === 'SIGKILL' || stdout === 'done\n', `${signal}: ${stdout}${stderr}`);
    return signal === 'SIGKILL';
  }
}

const describeModel = (model: Model): string =>
  JSON.stringify(Object.entries(model).sort(([one], [other]) => (one < other ? -1 : 1)));

/** Makes the model for an operation to begin with. */
async function prepare(pool: PoolDevice, operation: PoolOperation): Promise<Model> {
  for (const name of pool.metadata.getDeviceNames()) await pool.removeDevice(name);
  let model: Model = {};
  for (const before of [...PREPARATION, ...[FIRST[operation.kind] ?? []].flat()]) {
    await perform(pool, before);
    model = after(model, before);
  }
  return model;
}

function after(model: Model, operation: PoolOperation): Model {
  const wanted = expected(model, operation);
  assert.ok('model' in wanted);
  return wanted.model;
}

async function check(pool: PoolDevice, scene: KillScene, candidates: readonly Model[]): Promise<void> {
  const seen = await observe(pool, candidates.at(-1) ?? {});
  assert.ok(
    candidates.some((model) => describeModel(model) === describeModel(seen)),
    `neither old nor new: ${describeModel(seen)} instead of ${candidates.map(describeModel).join(' or ')}`,
  );
  await assertInOrder(pool, scene.subject.driver, 2);
}

describe('a process that is killed while it changes a pool of the device-mapper', {
  skip: skipUnlessDeviceMapper(),
}, () => {
  for (const operation of OPERATIONS) {
    it(`[S239] leaves the pool as it was before ${operation.kind}, or after it`, () =>
      KillScene.run({}, async (scene) => {
        let before = await scene.open((pool) => prepare(pool, operation));
        let deaths = 0;
        for (let point = randomInt(STRIDE); ; point += STRIDE) {
          assert.ok(point < POINTS_MAX + STRIDE);
          const hasDied = scene.die(operation, point);
          const done = after(before, operation);
          before = await scene.open(async (pool) => {
            await check(pool, scene, hasDied ? [before, done] : [done]).catch((error: unknown) => {
              throw new Error(`killed at point ${point}: ${error instanceof Error ? error.stack : String(error)}`);
            });
            return hasDied ? await prepare(pool, operation) : before;
          });
          if (!hasDied) break;
          deaths += 1;
        }
        assert.ok(STRIDE > 1 || deaths >= 4, `only ${deaths} deaths`);
      }));
  }
});

describe('metadata of a pool that are too small', { skip: skipUnlessDeviceMapper() }, () => {
  it('[S240] for any pool are refused, and nothing is made', async () => {
    const subject = await DeviceMapperSubject.make({});
    await thenCleanUp(
      async () => {
        await subject.driver.destroy();
        await subject.driver.close();
        truncateSync(subject.paths.metadataPath, 0);
        truncateSync(subject.paths.metadataPath, 16 * 1024);
        const failure = await createDeviceMapperPool({
          native: loadNative(),
          pool: subject.pool,
          ...subject.paths,
        }).catch((error: unknown) => error);
        assert.ok(failure instanceof DunnageError && failure.code === 'NO_SPACE', String(failure));
        assert.match(failure.message, /metadata of 16 KiB is too small/);
        assert.match(failure.remedy ?? '', /2 MiB/);
      },
      () => subject.cleanup(),
    );
  });

  it('[S240] for more devices refuse them and keep those that are there; made larger, they have room again', () =>
    KillScene.run({ metadataBytes: 128 * 1024 }, async (scene) => {
      const kept: string[] = [];
      await scene.open(async (pool) => {
        let failure: unknown;
        for (let count = 1; failure === undefined && count < 500; count += 1) {
          const name = `d${count}`;
          failure = await pool.createThinDevice(name, DEVICE_BYTES).then(
            () => undefined,
            (error: unknown) => error,
          );
          if (failure !== undefined) break;
          kept.push(name);
          if (count <= 3) write(pool, name, 0, pattern(count, 4096));
          else await pool.deactivateDevice(name);
        }
        assert.ok(failure instanceof DunnageError && ['NO_SPACE', 'CORRUPT'].includes(failure.code), String(failure));
        assert.ok(failure.remedy !== undefined, failure.message);
        for (const index of [1, 2, 3]) assert.deepEqual(read(pool, `d${index}`, 0, 4096), pattern(index, 4096));
        const others = pool.metadata.getDeviceNames().filter((name) => !kept.includes(name));
        assert.ok(others.length <= 1, others.join());
      });
      await scene.subject.forget();
      truncateSync(scene.subject.paths.metadataPath, 4 * MIB);
      const { pool, paths, folder } = scene.subject;
      await repairDeviceMapperPool({ native: loadNative(), pool, ...paths }, join(folder, 'repair'));
      await scene.open(async (opened) => {
        await opened.repair();
        assert.deepEqual([...opened.metadata.getDeviceNames()].sort(), [...kept].sort());
        for (const index of [1, 2, 3]) assert.deepEqual(read(opened, `d${index}`, 0, 4096), pattern(index, 4096));
        await opened.createThinDevice('more', DEVICE_BYTES);
      });
    }));
});
