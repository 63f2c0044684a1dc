/** Pools as a service, over devices that are files: what is refused, what fails, and what a death at any step leaves. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import type { PoolSpec } from '../../../src/thinpool/pool-spec.ts';
import type { PoolBacking } from '../../../src/thinpool/service/pool-backing.ts';
import { PoolService } from '../../../src/thinpool/service/pool-service.ts';
import { CrashPoint } from '../../conformance/thinpool/crash-point.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';
import { FileBacking } from './file-backing.ts';

const SIZE = 65_536;
const pool = (name: string, more: Partial<PoolSpec> = {}): PoolSpec => ({
  ...{ name, place: { kind: 'file', sizeBytes: 1 }, deviceSizeBytes: SIZE, discardBlocks: false, asyncRemove: false },
  fileSystem: { type: 'ext4', options: '' },
  ...more,
});

const STORE_STEPS = ['transactDurable', 'transactBuffered'] as const;
const BACKING_STEPS: readonly (keyof PoolBacking)[] = ['make', 'undo', 'remove'];
const DRIVER_STEPS: readonly (keyof PoolDriver)[] = [
  ...(['createThin', 'createSnapshot', 'delete', 'activate', 'deactivate'] as const),
  ...(['suspend', 'resume', 'setTransaction', 'destroy'] as const),
];

class Scene {
  readonly folder: string;
  readonly #store: ReturnType<typeof openStore>;
  readonly #context: TestContext;

  constructor(t: TestContext) {
    this.#context = t;
    this.folder = makeStateDirectory(t);
    this.#store = openStore(t, this.folder);
  }

  place(name: string): string {
    return join(this.folder, 'places', name);
  }

  /** As a daemon that dies at that point sees the world. */
  service(point: CrashPoint = new CrashPoint(Number.POSITIVE_INFINITY)): PoolService {
    const see = (driver: PoolDriver): PoolDriver => point.wrap(driver, DRIVER_STEPS);
    const service = new PoolService({
      store: point.wrap(this.#store, STORE_STEPS),
      ...{ stateDir: this.folder, runtimeDir: this.folder, clock: systemClock, log: silentLog, answerMsMax: 100 },
      backingOf: ({ spec }) => point.wrap<PoolBacking>(new FileBacking(this.place(spec.name), see), BACKING_STEPS),
    });
    // One that died cannot end in order.
    this.#context.after(() => service.close().catch(() => undefined));
    return service;
  }
}

describe('PoolService', () => {
  it('makes pools and their devices, and tells what there is', async (t) => {
    const service = new Scene(t).service();
    assert.equal(await service.apply(pool('p')), 'created');
    assert.equal(await service.apply(pool('p')), 'unchanged');
    assert.equal(await service.apply(pool('p', { deviceSizeBytes: 2 * SIZE })), 'configured');
    await assert.rejects(service.apply(pool('p'), true), { code: 'ALREADY_EXISTS' });
    await service.putDevice('p', 'a', {});
    const snapshot = await service.putDevice('p', 'b', { snapshotOf: 'a' });
    assert.deepEqual([snapshot.parentName, snapshot.sizeBytes, snapshot.isActive], ['a', 2 * SIZE, true]);
    assert.equal((await service.deactivateDevice('p', 'a')).isActive, false);
    assert.equal((await service.putDevice('p', 'a', { sizeBytes: 2 * SIZE })).isActive, true);
    await assert.rejects(service.putDevice('p', 'a', { sizeBytes: SIZE }), { message: /which has 131072 bytes/ });
    await assert.rejects(service.putDevice('p', 'b', {}), { message: /which is a snapshot of a/ });
    await assert.rejects(service.putDevice('p', 'c', { snapshotOf: 'x' }), { code: 'NOT_FOUND' });
    await assert.rejects(service.putDevice('q', 'c', {}), { code: 'NOT_FOUND' });
    await assert.rejects(
      service
        .putDevice('p', 'x'.repeat(90), { sizeBytes: SIZE })
        .then(() => service.putDevice('p', 'y'.repeat(127), {})),
      {
        code: 'INVALID_ARGUMENT',
      },
    );
    assert.equal(service.states().get('ready'), 1);
  });

  it('[S235] deletes a pool with devices only if that is said', async (t) => {
    const scene = new Scene(t);
    const service = scene.service();
    await service.apply(pool('p'));
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await service.putDevice('p', name, {});
    await assert.rejects(service.delete('p', false), {
      code: 'BUSY',
      message: /has devices: a, b, c, d, e and 1 more/,
    });
    assert.equal((await service.devices('p'))[0]?.isActive, true);
    const { devices } = await service.delete('p', true);
    assert.deepEqual(devices, ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.equal(existsSync(scene.place('p')), false);
    assert.throws(() => service.get('p'), { code: 'NOT_FOUND' });
    assert.equal(await service.apply(pool('p')), 'created');
    assert.equal((await service.putDevice('p', 'a', {})).deviceId, 1);
  });

  it('[S234] one broken pool stops nobody, and is taken in again when it is mended', async (t) => {
    const scene = new Scene(t);
    const first = scene.service();
    for (const name of ['p', 'q']) await first.apply(pool(name));
    await first.putDevice('p', 'a', {});
    await first.close();
    renameSync(scene.place('p'), scene.place('gone'));
    const service = scene.service();
    await service.recover();
    assert.deepEqual([service.get('p').state, service.get('q').state], ['broken', 'ready']);
    assert.match(service.get('p').reason ?? '', /holds no pool/);
    await assert.rejects(service.putDevice('p', 'b', {}), { code: 'BUSY', message: /not in service: .*holds no pool/ });
    await assert.rejects(service.delete('p', false), { code: 'BUSY', message: /has devices: a/ });
    await assert.rejects(service.apply(pool('p')), { code: 'NOT_FOUND' });
    renameSync(scene.place('gone'), scene.place('p'));
    assert.equal(await service.apply(pool('p')), 'configured');
    assert.equal((await service.devices('p'))[0]?.isActive, true);
  });

  it('forgets by force a pool that cannot be put into service, and leaves what it lay on', async (t) => {
    const scene = new Scene(t);
    const first = scene.service();
    await first.apply(pool('p'));
    await first.close();
    renameSync(scene.place('p'), scene.place('gone'));
    const service = scene.service();
    await service.recover();
    await assert.rejects(service.delete('p', false), { code: 'BUSY', message: /cannot be put into service/ });
    assert.match((await service.delete('p', true)).left, /stays as it is/);
    assert.deepEqual(service.list(), []);
    assert.ok(existsSync(scene.place('gone')));
  });

  it('[S236] makes nothing where something is', async (t) => {
    const scene = new Scene(t);
    mkdirSync(scene.place('p'), { recursive: true });
    const service = scene.service();
    await assert.rejects(service.apply(pool('p')), { code: 'ALREADY_EXISTS' });
    assert.deepEqual(service.list(), []);
    assert.ok(existsSync(scene.place('p')));
  });

  it('takes a pool in that is there already, and by its end nothing new is begun', async (t) => {
    const scene = new Scene(t);
    await new FileBacking(scene.place('p')).make();
    const service = scene.service();
    assert.equal(await service.apply(pool('p')), 'created');
    await service.putDevice('p', 'a', {});
    assert.deepEqual(await service.rest(), []);
    await assert.rejects(service.apply(pool('q')), { code: 'INTERRUPTED' });
    const next = scene.service();
    await next.recover();
    assert.equal((await next.devices('p'))[0]?.isActive, true);
  });

  it('checks and repairs a pool in service under its users', async (t) => {
    const service = new Scene(t).service();
    await service.apply(pool('p'));
    await service.putDevice('p', 'a', {});
    assert.deepEqual((await service.check('p')).remaining, []);
    await service.withPool('p', ({ driver }) => driver.createThin(77));
    const [unknown] = (await service.check('p')).remaining;
    assert.match(JSON.stringify(unknown), /77/);
    const { repaired, remaining } = await service.repair('p', { deleteUnknown: true });
    assert.deepEqual([remaining, repaired.length > 0], [[], true]);
    assert.equal((await service.devices('p'))[0]?.isActive, true);
  });

  it('shows a pool that does not answer without figures, and is not held up by it', async (t) => {
    const service = new Scene(t).service();
    await service.apply(pool('p'));
    await service.withPool('p', async ({ driver }) => {
      const look = driver.status.bind(driver);
      let answer: () => void = () => undefined;
      driver.status = () => new Promise((resolve) => (answer = () => resolve(look())));
      assert.match(String((await service.view('p')).figures), /has not answered for 0s/);
      driver.status = look;
      answer();
    });
    assert.equal(typeof (await service.view('p')).figures, 'object');
  });

  it('[S235] [S236] after a death at any step the next start has the pool whole, or nothing of it', async (t) => {
    for (let point = 0; ; point += 1) {
      const scene = new Scene(t);
      const crash = new CrashPoint(point);
      const died = scene.service(crash);
      const work = async (): Promise<void> => {
        await died.apply(pool('p'));
        await died.putDevice('p', 'a', {});
        await died.putDevice('p', 'b', { snapshotOf: 'a' });
        await died.apply(pool('p', { deviceSizeBytes: 2 * SIZE }));
        await died.delete('p', true);
      };
      await work().catch(() => undefined);
      const service = scene.service();
      await service.recover();
      const [record, ...more] = service.list();
      const where = `point ${point}: ${JSON.stringify(record)}`;
      assert.equal(more.length, 0, where);
      assert.equal(existsSync(scene.place('p')), record !== undefined, where);
      if (record !== undefined) {
        assert.equal(record.state, 'ready', where);
        for (const { state, isActive } of await service.devices('p'))
          assert.deepEqual([state, isActive], ['Activated', true], where);
        const { figures } = await service.view('p');
        assert.equal(typeof figures, 'object', where);
      }
      await service.apply(pool('p'));
      await service.putDevice('p', 'z', {});
      await service.delete('p', true);
      assert.equal(existsSync(scene.place('p')), false, where);
      if (!crash.hasCrashed) {
        assert.ok(point > 40, `only ${point} points`);
        return;
      }
    }
  });
});
