/** Thin devices: making many of them at once, and a snapshot of one whose file lies all over the pool. */
import { execFile } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadNative } from '../../src/native/load.ts';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';
import { ThinPoolSide } from './thin-pool-side.ts';

const run = promisify(execFile);

const DEVICES = 100;
const DEVICE_BYTES = 16 * 1024 ** 2;
const SECTOR_BYTES = 4096;
/** losetup that run side by side; more of them only wait for each other. */
const ATTACHED_AT_ONCE = 4;
const POOL_BYTES = 3 * 1024 ** 3;

const BLOCK_BYTES = 4096;
const EXTENTS = 200_000;
const EXTENTS_AT_ONCE = 2000;
const AGED_BYTES = 2 * EXTENTS * BLOCK_BYTES;
const AGED_POOL_BYTES = 3 * 1024 ** 3;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start);
}

/**
 * As many devices by hand, with as few commands as can be: files of their size that survive a power failure, and loop devices for them, side
 * by side. Resolves to the paths of those.
 */
async function makeByHand(folder: string): Promise<readonly string[]> {
  const images = numbers(DEVICES).map((index) => join(folder, `${index}.img`));
  await run('truncate', ['--size', String(DEVICE_BYTES), ...images]);
  await run('sync', [...images, folder]);
  const attach = `printf '%s\\n' "$@" | xargs -P ${ATTACHED_AT_ONCE} -n 1 losetup --find --show --direct-io=on --sector-size ${SECTOR_BYTES}`;
  const { stdout } = await run('sh', ['-c', attach, 'sh', ...images]);
  return stdout.trim().split('\n');
}

async function prepareCreation({ parent }: BenchContext): Promise<Rounds | string> {
  const side = await ThinPoolSide.make(parent, POOL_BYTES);
  if (typeof side === 'string') return side;
  const { pool } = side;
  const folder = join(side.plainFolder, 'devices');
  return {
    async ours() {
      const names = numbers(DEVICES).map((index) => `device-${index}`);
      const nanoseconds = await timed(() =>
        Promise.all(names.map((name) => pool.createThinDevice(name, DEVICE_BYTES))),
      );
      await Promise.all(names.map((name) => pool.removeDevice(name)));
      await run('sync');
      return nanoseconds;
    },
    async baseline() {
      mkdirSync(folder);
      let loops: readonly string[] = [];
      const nanoseconds = await timed(async () => {
        loops = await makeByHand(folder);
      });
      await run('losetup', ['--detach', ...loops]);
      rmSync(folder, { recursive: true });
      await run('sync');
      return nanoseconds;
    },
    counts: () => Promise.resolve({}),
    close: () => side.close(),
  };
}

/**
 * Every second block is written, in an order that has nothing to do with where it lies, and flushed in batches: neighbours end up far from
 * each other, as after months of a database.
 */
function age(path: string): void {
  const file = openSync(path, 'r+');
  const block = Buffer.alloc(BLOCK_BYTES, 'old');
  try {
    // A step without a common factor reaches every extent once.
    const step = 77_773;
    for (let count = 0; count < EXTENTS; count += 1) {
      writeSync(file, block, 0, BLOCK_BYTES, ((count * step) % EXTENTS) * 2 * BLOCK_BYTES);
      if (count % EXTENTS_AT_ONCE === EXTENTS_AT_ONCE - 1) fsyncSync(file);
    }
  } finally {
    closeSync(file);
  }
}

async function countExtents(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    return (await loadNative().fileExtents(file.fd)).extents;
  } finally {
    await file.close();
  }
}

async function prepareSnapshots({ parent }: BenchContext): Promise<Rounds | string> {
  // Removing a clone takes as long as making it: they stay until the end, and promise more than there is.
  const side = await ThinPoolSide.make(parent, AGED_POOL_BYTES, true);
  if (typeof side === 'string') return side;
  const { pool } = side;
  await pool.createThinDevice('aged', AGED_BYTES);
  await pool.deactivateDevice('aged');
  const image = side.imagePath('aged');
  age(image);
  const extents = await countExtents(image);
  await pool.activateDevice('aged');
  let clones = 0;
  return {
    async ours() {
      clones += 1;
      const nanoseconds = await timed(() => pool.createSnapshotDevice('aged', `snapshot-${clones}`, AGED_BYTES));
      await run('sync');
      return nanoseconds;
    },
    async baseline() {
      clones += 1;
      const copy = join(side.plainFolder, `copy-${clones}`);
      const nanoseconds = await timed(() => run('cp', ['--reflink=always', image, copy]));
      await run('sync');
      return nanoseconds;
    },
    counts: () => Promise.resolve({ extents }),
    close: () => side.close(),
  };
}

export const thinpoolBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'thinpool.create-100',
    baseline: 'truncate, sync and losetup by hand, side by side',
    better: 'lower',
    target: 1.5,
    prepare: prepareCreation,
  },
  {
    name: 'thinpool.snapshot-aged',
    baseline: 'cp --reflink of the same file',
    better: 'lower',
    target: 1.3,
    prepare: prepareSnapshots,
  },
];
