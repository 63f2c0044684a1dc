import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { PoolStatus } from '../../../src/thinpool/driver.ts';
import { type Overcommit, PoolSpace, type PoolSpaceEvent } from '../../../src/thinpool/space/pool-space.ts';

const GIBIBYTE = 1024 ** 3;

interface Scene {
  space: PoolSpace;
  used: number;
  promisable: number;
  promised: number;
  stopped: boolean;
  metadataUsed: number;
  broken: boolean;
  /** Kinds, in their order. */
  events: string[];
}

function scene(overcommit?: Overcommit): Scene {
  const made: Omit<Scene, 'space'> = {
    used: 0,
    promisable: 9 * GIBIBYTE,
    promised: 0,
    stopped: false,
    metadataUsed: 0,
    broken: false,
    events: [],
  };
  const status = async (): Promise<PoolStatus> => ({
    dataUsedBytes: made.used,
    dataTotalBytes: 10 * GIBIBYTE,
    metadataUsedBytes: made.metadataUsed,
    metadataTotalBytes: 1024,
    promisableBytes: made.promisable,
    areWritersStopped: made.stopped,
    isReadOnly: made.broken,
    needsCheck: made.broken,
    isBelowLowWater: made.used >= 9.9 * GIBIBYTE,
  });
  const space = new PoolSpace({
    driver: { status },
    promisedBytes: () => made.promised,
    ...(overcommit === undefined ? {} : { overcommit }),
    onEvent: ({ kind }: PoolSpaceEvent) => made.events.push(kind),
  });
  return Object.assign(made, { space });
}

describe('without overcommit', () => {
  let pool: Scene;
  beforeEach(() => {
    pool = scene();
  });

  it('nothing is promised that is not there, to the byte', async () => {
    pool.promised = 8 * GIBIBYTE;
    await assert.rejects(pool.space.admit(1.5 * GIBIBYTE), {
      code: 'NO_SPACE',
      message: '1.5 GiB more cannot be promised: the pool can hold 9 GiB, of which 1 GiB are not promised yet',
    });
    await assert.rejects(pool.space.admit(GIBIBYTE + 1), { code: 'NO_SPACE' });
    await pool.space.admit(GIBIBYTE);
    await assert.rejects(pool.space.admit(1), { code: 'NO_SPACE' });
    assert.deepEqual(pool.events, ['refused', 'refused', 'refused']);
  });

  it('of many who come at once exactly as many are let in as there is room for', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => pool.space.admit(GIBIBYTE)));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 9);
  });

  it('an admission counts until it is released, once', async () => {
    const first = await pool.space.admit(6 * GIBIBYTE);
    const second = await pool.space.admit(3 * GIBIBYTE);
    assert.equal((await pool.space.look()).promisedBytes, 9 * GIBIBYTE);
    first.release();
    first.release();
    assert.equal((await pool.space.look()).promisedBytes, 3 * GIBIBYTE);
    second.release();
    assert.equal((await pool.space.look()).promisedBytes, 0);
  });

  it('that somebody else has taken the space is told once, and that it is back', async () => {
    pool.promised = 5 * GIBIBYTE;
    assert.equal((await pool.space.look()).isBacked, true);
    pool.promisable = 4 * GIBIBYTE;
    assert.equal((await pool.space.look()).isBacked, false);
    await pool.space.look();
    await assert.rejects(pool.space.admit(512), { code: 'NO_SPACE' });
    pool.promisable = 9 * GIBIBYTE;
    await pool.space.look();
    assert.deepEqual(pool.events, ['unbacked', 'refused', 'backed']);
  });

  it('a full pool whose promises are kept is not low', async () => {
    pool.promised = 9 * GIBIBYTE;
    pool.used = 10 * GIBIBYTE;
    assert.equal((await pool.space.look()).isLow, false);
    assert.deepEqual(pool.events, ['low-water']);
  });

  it('nothing new is made when the metadata are short, before they are full', async () => {
    pool.metadataUsed = 1024 - 256;
    (await pool.space.admit(1)).release();
    pool.metadataUsed += 1;
    await assert.rejects(pool.space.admit(1), { code: 'NO_SPACE', message: /metadata/ });
    // A margin: it does not go to and fro.
    pool.metadataUsed = 1024 - 300;
    await assert.rejects(pool.space.admit(1), { code: 'NO_SPACE' });
    pool.metadataUsed = 1024 - 320;
    (await pool.space.admit(1)).release();
    assert.deepEqual(pool.events, ['metadata-low', 'refused', 'refused', 'metadata-enough']);
  });

  it('a pool that has found something wrong with itself is told of', async () => {
    pool.broken = true;
    await pool.space.look();
    await pool.space.look();
    pool.broken = false;
    await pool.space.look();
    assert.deepEqual(pool.events, ['read-only', 'needs-check', 'writable', 'checked']);
  });
});

describe('with overcommit', () => {
  it('more is promised than there is, until the high-water mark is reached', async () => {
    const pool = scene({ highWaterPercent: 80 });
    pool.promised = 100 * GIBIBYTE;
    pool.used = 8 * GIBIBYTE;
    (await pool.space.admit(50 * GIBIBYTE)).release();
    pool.used += 1;
    await assert.rejects(pool.space.admit(1), {
      code: 'NO_SPACE',
      message: /above its high-water mark: 8.0 GiB of 10 GiB/,
    });
    // A margin below the mark: it does not go to and fro.
    pool.used = 7.6 * GIBIBYTE;
    await assert.rejects(pool.space.admit(1), { code: 'NO_SPACE' });
    pool.used = 7.4 * GIBIBYTE;
    await pool.space.admit(1);
    assert.deepEqual(pool.events, ['filling', 'low', 'refused', 'refused', 'enough']);
    pool.used = 4 * GIBIBYTE;
    await pool.space.look();
    assert.equal(pool.events.at(-1), 'filling-no-more');
  });

  it('while writers are stopped nothing is made, whatever the figures say', async () => {
    const pool = scene({ highWaterPercent: 80 });
    pool.stopped = true;
    await assert.rejects(pool.space.admit(1), { code: 'NO_SPACE' });
    pool.stopped = false;
    await pool.space.look();
    assert.deepEqual(pool.events, [
      ...['filling', 'low', 'writers-stopped', 'refused'],
      ...['filling-no-more', 'enough', 'writers-resumed'],
    ]);
  });
});
