/** What 10,000 projections cost: at start, at each swap, in memory. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ControlOperations } from '../../src/server/operations.ts';
import { residentBytes } from '../tools/resident-memory.ts';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';
import { timeStart } from './start-timing.ts';
import { PROJECTIONS, projectionName, tenFiles } from './ten-thousand.ts';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;
const MEMORY_BYTES_MAX = 200 * MEBIBYTE;
const SWAPS_PER_ROUND = 20;
/** Reading 10,000 projections for the first time is 400,000 requests. */
const WALK_MS_MAX = 300_000;

async function prepareStart(context: BenchContext): Promise<Rounds> {
  const full = await context.tenThousand();
  await full.release();
  const folder = mkdtempSync(join(context.parent, 'ds-'));
  const runtimeDir = join(folder, 'run');
  let milliseconds = 0;
  return {
    async ours() {
      milliseconds = await timeStart(full.stateDir, runtimeDir);
      return milliseconds;
    },
    async baseline() {
      const stateDir = join(folder, 'empty');
      rmSync(stateDir, { recursive: true, force: true });
      return await timeStart(stateDir, runtimeDir);
    },
    counts: () => Promise.resolve({ projections: PROJECTIONS, 'last start, ms': Math.round(milliseconds) }),
    close: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  };
}

let version = 0;

async function timeSwaps(operations: ControlOperations, name: string): Promise<number> {
  const start = process.hrtime.bigint();
  for (let swap = 0; swap < SWAPS_PER_ROUND; swap += 1) {
    version += 1;
    await operations.writeProjection(name, tenFiles(name, version));
  }
  return Number(process.hrtime.bigint() - start);
}

async function prepareSwaps(context: BenchContext): Promise<Rounds> {
  const full = await context.tenThousand();
  await full.release();
  const many = await context.startDaemon(full.stateDir);
  const one = await context.startDaemon();
  const name = projectionName(PROJECTIONS / 2);
  let swaps = 0;
  let requests = 0;
  return {
    async ours() {
      const before = await context.projectionRequests(many.daemon.operations);
      const nanoseconds = await timeSwaps(many.daemon.operations, name);
      requests += (await context.projectionRequests(many.daemon.operations)) - before;
      swaps += SWAPS_PER_ROUND;
      return nanoseconds;
    },
    baseline: () => timeSwaps(one.daemon.operations, name),
    counts: () => Promise.resolve({ 'requests per swap': requests / swaps }),
    async close() {
      await many.end();
      await one.end();
    },
  };
}

async function prepareMemory(context: BenchContext): Promise<Rounds | string> {
  const full = await context.tenThousand();
  if (!full.isRunning) return 'the daemon that wrote the projections was ended by a figure before: use --only';
  const { client, mountPoint } = full.daemon;
  const { pid, holderPid } = await client.status();
  const resident = (): number => residentBytes(pid) + (holderPid === undefined ? 0 : residentBytes(holderPid));
  const loaded = resident();
  const projections = join(mountPoint, 'projections');
  await run('find', [projections, '-path', '*/..2*', '-type', 'f', '-exec', 'grep', '-c', 'version', '{}', '+'], {
    timeout: WALK_MS_MAX,
    maxBuffer: 64 * MEBIBYTE,
  });
  const read = resident();
  let listed = 0;
  return {
    async ours() {
      if ((await client.listProjections(undefined)).length !== PROJECTIONS) throw new Error('projections are missing');
      await run('ls', ['-l', projections], { timeout: WALK_MS_MAX, maxBuffer: 64 * MEBIBYTE });
      listed = resident();
      return Math.max(loaded, read, listed);
    },
    baseline: () => Promise.resolve(MEMORY_BYTES_MAX),
    counts: () =>
      Promise.resolve({
        'MiB after writing': loaded / MEBIBYTE,
        'MiB after reading': read / MEBIBYTE,
        'MiB after listing': listed / MEBIBYTE,
      }),
    close: () => Promise.resolve(),
  };
}

/** In this order: memory is that of the daemon which wrote the projections, and the others need it ended. */
export const scaleBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'projection.memory-10k',
    baseline: '200 MiB; resident memory of daemon, agent and holder, mapped files included',
    better: 'lower',
    target: 1.0,
    prepare: prepareMemory,
  },
  {
    name: 'projection.swap-at-10k',
    baseline: 'the same swap in a daemon that has this one projection',
    better: 'lower',
    target: 1.3,
    prepare: prepareSwaps,
  },
  {
    name: 'projection.start-10k',
    baseline: 'start with an empty state directory; both less the boot of Node',
    better: 'lower',
    target: 3,
    prepare: prepareStart,
  },
];
