/** What fails, and what is left then. What goes well is in test/conformance/thinpool, for all drivers. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { ErrorCode } from '../../src/errors/table.ts';
import { PoolDevice, type PoolDeviceOptions } from '../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { makeStateDirectory, openStore } from '../store/state-directory.ts';
import { fileSubject } from './helpers/file-subject.ts';
import { type Script, scripted } from './helpers/scripted-driver.ts';

const SIZE = 1024 * 1024;

interface Scene {
  readonly pool: PoolDevice;
  readonly metadata: PoolMetadata;
  readonly script: Script;
  /** Milliseconds between tries. */
  readonly waits: number[];
}

async function makeScene(t: TestContext, options: Partial<PoolDeviceOptions> = {}): Promise<Scene> {
  const subject = await fileSubject();
  t.after(() => subject.cleanup());
  const { driver, script } = scripted(subject.driver);
  const metadata = new PoolMetadata(openStore(t, makeStateDirectory(t)), 'test');
  const waits: number[] = [];
  const wait = async (durationMs: number): Promise<void> => void waits.push(durationMs);
  const pool = await PoolDevice.open({ driver, metadata, log: silentLog, wait, ...options });
  script.calls.length = 0;
  return { pool, metadata, script, waits };
}

const times = (count: number, code: ErrorCode): ErrorCode[] => Array.from({ length: count }, () => code);

describe('a device that cannot be made', () => {
  it('leaves nothing if its activation fails, and its id is free', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    script.failures.activate = ['IO'];
    await assert.rejects(pool.createThinDevice('a', SIZE), { code: 'IO' });
    assert.equal(metadata.findDevice('a'), undefined);
    assert.deepEqual(script.calls, ['createThin 1', 'setTransaction 1', 'activate a', 'delete 1']);
    assert.equal((await pool.createThinDevice('b', SIZE)).deviceId, 1);
  });

  it('leaves nothing if the pool has no room for it', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    script.failures.createThin = ['NO_SPACE'];
    await assert.rejects(pool.createThinDevice('a', SIZE), { code: 'NO_SPACE' });
    assert.equal(metadata.findDevice('a'), undefined);
    assert.equal((await pool.createThinDevice('b', SIZE)).deviceId, 1);
  });

  it('is Faulty if it cannot be removed either, and a repair removes it', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    script.failures.activate = ['IO'];
    script.failures.delete = ['IO', 'IO'];
    await assert.rejects(pool.createThinDevice('a', SIZE), { message: 'activate fails with IO' });
    assert.equal(metadata.getDevice('a').state, 'Faulty');
    assert.match(
      metadata.getDevice('a').error,
      /activate fails with IO; and it could not be removed: delete fails with IO/,
    );
    assert.deepEqual(metadata.idsSetAside(), [1]);
    assert.equal((await pool.repair()).devices[0]?.outcome, 'faulty');
    assert.equal((await pool.repair()).devices[0]?.outcome, 'undone');
    assert.deepEqual([metadata.getDeviceNames(), metadata.idsSetAside()], [[], []]);
  });

  it('can be made again while the first is Faulty, with another id', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    script.failures.activate = ['IO'];
    script.failures.delete = ['IO'];
    await assert.rejects(pool.createThinDevice('a', SIZE));
    assert.equal((await pool.createThinDevice('a', SIZE)).deviceId, 2);
    assert.deepEqual((await pool.repair({ deleteUnknown: true })).freedIds, [1]);
    assert.deepEqual(metadata.idsSetAside(), []);
  });

  it('takes nothing of the room that it asked for', async (t) => {
    const admitted: number[] = [];
    const admit = async (sizeBytes: number) => {
      if (sizeBytes > SIZE) throw new DunnageError('NO_SPACE', 'full');
      admitted.push(sizeBytes);
      return { release: () => void admitted.push(-sizeBytes) };
    };
    const { pool, metadata, script } = await makeScene(t, { admit });
    await assert.rejects(pool.createThinDevice('a', 2 * SIZE), { code: 'NO_SPACE' });
    assert.deepEqual([metadata.getDeviceNames(), script.calls, admitted], [[], [], []]);
    await pool.createThinDevice('a', SIZE);
    await assert.rejects(pool.createThinDevice('a', SIZE), { code: 'ALREADY_EXISTS' });
    await pool.growDevice('a', SIZE + 512);
    assert.deepEqual(admitted, [SIZE, -SIZE, 512, -512]);
    assert.equal(metadata.getDevice('a').sizeBytes, SIZE + 512);
  });

  it('holds no room any more as soon as the metadata count it, also before that is on disk', async (t) => {
    let heldBytes = 0;
    const admit = async (sizeBytes: number) => {
      heldBytes += sizeBytes;
      const release = (): void => {
        heldBytes -= sizeBytes;
      };
      return { release };
    };
    const { pool, metadata } = await makeScene(t, { admit });
    const counted: number[] = [];
    for (const method of ['addDeviceNumbered', 'updateDevice'] as const) {
      const write = metadata[method].bind(metadata) as (...given: unknown[]) => Promise<unknown>;
      t.mock.method(metadata, method, (...given: unknown[]) => {
        const written = write(...given);
        queueMicrotask(() => counted.push(metadata.getDevice('a').sizeBytes + heldBytes));
        return written;
      });
    }
    await pool.createThinDevice('a', SIZE);
    await pool.growDevice('a', 2 * SIZE);
    // Once for its record, once for the state at the end of its creation, once when it grows.
    assert.deepEqual(counted, [SIZE, SIZE, 2 * SIZE]);
  });

  it('never takes the place of a device that is active under its name', async (t) => {
    const { pool, metadata } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    await metadata.markFaulty('a', 'by hand');
    await assert.rejects(pool.createThinDevice('a', SIZE), { code: 'BUSY' });
    assert.equal(await pool.isLoaded('a'), true);
  });
});

describe('a snapshot', () => {
  it('holds its origin only for the moment of the copy', async (t) => {
    const { pool, script } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.calls.length = 0;
    await pool.createSnapshotDevice('a', 'b', SIZE);
    assert.deepEqual(script.calls, ['suspend a', 'createSnapshot 2', 'resume a', 'setTransaction 2', 'activate b']);
  });

  it('is not made if the origin cannot be suspended', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.suspend = ['IO'];
    await assert.rejects(pool.createSnapshotDevice('a', 'b', SIZE), { code: 'IO' });
    assert.deepEqual(metadata.getDeviceNames(), ['a']);
    assert.ok(!script.calls.includes('createSnapshot 2'));
  });

  it('is not made if the origin could not be held for so long; the origin goes on', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.createSnapshot = ['TIMED_OUT'];
    await assert.rejects(pool.createSnapshotDevice('a', 'b', SIZE), { code: 'TIMED_OUT' });
    assert.deepEqual(metadata.getDeviceNames(), ['a']);
    assert.ok(script.calls.includes('resume a'));
    await pool.createSnapshotDevice('a', 'b', SIZE);
  });
});

describe('what is busy', () => {
  it('is suspended at the third try, after longer and longer pauses', async (t) => {
    const { pool, script, waits } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.suspend = ['INVALID_ARGUMENT', 'BUSY'];
    await pool.suspendDevice('a');
    assert.deepEqual(waits, [100, 200]);
    script.failures.resume = times(3, 'BUSY');
    await assert.rejects(pool.resumeDevice('a'), { code: 'BUSY' });
    assert.deepEqual(waits, [100, 200, 100, 200]);
    const { state, error } = pool.metadata.getDevice('a');
    assert.deepEqual([state, error], ['Suspended', 'resume fails with BUSY']);
    await pool.resumeDevice('a');
    assert.equal(pool.metadata.getDevice('a').error, '');
  });

  it('is deactivated within a hundred tries of a tenth of a second', async (t) => {
    const { pool, script, waits } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.deactivate = times(99, 'BUSY');
    await pool.deactivateDevice('a');
    assert.deepEqual(
      waits,
      Array.from({ length: 99 }, () => 100),
    );
    await pool.activateDevice('a');
    script.failures.deactivate = times(100, 'BUSY');
    await assert.rejects(pool.deactivateDevice('a'), { code: 'BUSY' });
    assert.equal(pool.metadata.getDevice('a').state, 'Activated');
  });

  it('is not tried again for other reasons', async (t) => {
    const { pool, script, waits } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.deactivate = ['IO'];
    await assert.rejects(pool.deactivateDevice('a'), { code: 'IO' });
    assert.deepEqual(waits, []);
  });
});

describe('a removal', () => {
  it('discards first if that is wanted, and goes on if it cannot', async (t) => {
    const { pool, metadata, script } = await makeScene(t, { discardBlocks: true });
    await pool.createThinDevice('a', SIZE);
    script.calls.length = 0;
    script.failures.discard = ['BUSY'];
    await pool.removeDevice('a');
    assert.deepEqual(script.calls, ['discard a', 'deactivate a', 'delete 1', 'setTransaction 2']);
    assert.deepEqual(metadata.getDeviceNames(), []);
  });

  it('that fails leaves the device as it is, and can be repeated', async (t) => {
    const { pool, metadata, script } = await makeScene(t);
    await pool.createThinDevice('a', SIZE);
    script.failures.deactivate = ['IO'];
    await assert.rejects(pool.removeDevice('a'), { code: 'IO' });
    assert.equal(metadata.getDevice('a').state, 'Activated');
    script.failures.delete = ['IO'];
    await assert.rejects(pool.removeDevice('a'), { code: 'IO' });
    assert.deepEqual(
      [metadata.getDevice('a').state, metadata.getDevice('a').error],
      ['Deactivated', 'delete fails with IO'],
    );
    await pool.removeDevice('a');
    assert.deepEqual(metadata.getDeviceNames(), []);
  });

  it('of the pool tells all that went wrong', async (t) => {
    const { pool, script } = await makeScene(t);
    for (const name of ['a', 'b', 'c']) await pool.createThinDevice(name, SIZE);
    script.failures.deactivate = ['IO', undefined, 'IO'];
    await assert.rejects(pool.removePool(), { message: /deactivate fails with IO; deactivate fails with IO; / });
    await pool.removePool();
  });
});

describe('the pool', () => {
  it('takes no more work when it is closed, and ends what is under way', async (t) => {
    const { pool, metadata } = await makeScene(t);
    const creation = pool.createThinDevice('a', SIZE);
    await new Promise((resolve) => setImmediate(resolve));
    await pool.close();
    await creation.catch((error: unknown) => assert.equal((error as DunnageError).code, 'INTERRUPTED'));
    assert.ok(['Activated', undefined].includes(metadata.findDevice('a')?.state));
    await pool.close();
    await assert.rejects(pool.createThinDevice('b', SIZE), { code: 'INTERRUPTED' });
    await assert.rejects(pool.repair(), { code: 'INTERRUPTED' });
  });

  it('goes on if only the number of the last change cannot be written', async (t) => {
    const { pool, script } = await makeScene(t);
    script.failures.setTransaction = ['IO'];
    await pool.createThinDevice('a', SIZE);
    assert.equal(pool.metadata.getDevice('a').state, 'Activated');
  });

  it('does not open if its devices cannot be listed', async (t) => {
    const subject = await fileSubject();
    t.after(() => subject.cleanup());
    const { driver, script } = scripted(subject.driver);
    script.failures.list = ['CORRUPT'];
    const metadata = new PoolMetadata(openStore(t, makeStateDirectory(t)), 'test');
    await assert.rejects(PoolDevice.open({ driver, metadata, log: silentLog }), { code: 'CORRUPT' });
  });
});
