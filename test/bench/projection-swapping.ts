/** How long a rotation takes: until the write returns, and until a watcher of the directory sees it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';
import { referenceWrite } from './reference-writer.ts';

const SWAPS_PER_ROUND = 20;
const FILE_BYTES = 1024;
/** Until the compiler of V8, which works on the processors that are measured, has nothing left to do. */
const WARM_UP_ROUNDS = 150;

let counter = 0;

/** Three files, as a TLS secret has; other content at each call. */
function threeFiles(): Map<string, Uint8Array> {
  counter += 1;
  return new Map(
    ['ca.crt', 'tls.crt', 'tls.key'].map((name) => [name, Buffer.alloc(FILE_BYTES, `${name} ${counter};`)]),
  );
}

interface Target {
  readonly directory: string;
  write(files: ReadonlyMap<string, Uint8Array>): Promise<void>;
}

async function prepareTargets(context: BenchContext, name: string): Promise<{ ours: Target; plain: Target }> {
  const { daemon, mountPoint } = await context.ownDaemon();
  const directory = join(context.plainFolder, name);
  mkdirSync(directory);
  const plain: Target = {
    directory,
    write: (files) => Promise.resolve(referenceWrite(directory, files, { durable: true })),
  };
  const ours: Target = {
    directory: join(mountPoint, 'projections', name),
    async write(files) {
      await daemon.operations.writeProjection(
        name,
        new Map([...files].map(([path, data]) => [path, { data, mode: 0o644 }])),
      );
    },
  };
  await ours.write(threeFiles());
  await plain.write(threeFiles());
  return { ours, plain };
}

async function timeSwaps(target: Target): Promise<number> {
  const start = process.hrtime.bigint();
  for (let swap = 0; swap < SWAPS_PER_ROUND; swap += 1) await target.write(threeFiles());
  return Number(process.hrtime.bigint() - start);
}

/** The probe's watch of one directory: tells when each publication could be seen, on the clock of `hrtime`. */
class Watcher {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(probe: string, directory: string): Promise<Watcher> {
    const watcher = new Watcher(spawn(probe, ['events', directory], { stdio: ['pipe', 'pipe', 'inherit'] }));
    if ((await watcher.#next()) !== 'ready') throw new Error(`the probe cannot watch ${directory}`);
    return watcher;
  }

  async #next(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the probe ended before an event came');
    return line.value;
  }

  async eventAt(): Promise<bigint> {
    return BigInt(await this.#next());
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}

async function timeEvents(target: Target, watcher: Watcher): Promise<number> {
  let total = 0n;
  for (let swap = 0; swap < SWAPS_PER_ROUND; swap += 1) {
    const files = threeFiles();
    const start = process.hrtime.bigint();
    await target.write(files);
    total += (await watcher.eventAt()) - start;
  }
  return Number(total);
}

async function prepareSwaps(context: BenchContext): Promise<Rounds> {
  const { ours, plain } = await prepareTargets(context, 'swap-3');
  const { daemon } = await context.ownDaemon();
  let swaps = 0;
  let requests = 0;
  return {
    async ours() {
      const before = await context.projectionRequests(daemon.operations);
      const nanoseconds = await timeSwaps(ours);
      requests += (await context.projectionRequests(daemon.operations)) - before;
      swaps += SWAPS_PER_ROUND;
      return nanoseconds;
    },
    baseline: () => timeSwaps(plain),
    counts: () => Promise.resolve({ 'requests per swap': requests / swaps }),
    close: () => Promise.resolve(),
  };
}

async function prepareEvents(context: BenchContext): Promise<Rounds> {
  const { ours, plain } = await prepareTargets(context, 'event-3');
  const oursWatcher = await Watcher.start(context.probe, ours.directory);
  const plainWatcher = await Watcher.start(context.probe, plain.directory);
  return {
    ours: () => timeEvents(ours, oursWatcher),
    baseline: () => timeEvents(plain, plainWatcher),
    counts: () => Promise.resolve({}),
    async close() {
      await Promise.all([oursWatcher.stop(), plainWatcher.stop()]);
    },
  };
}

export const swappingBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'projection.swap-3-durable',
    baseline: 'reference algorithm with fsync on ext4, 3 files',
    better: 'lower',
    warmUpRounds: WARM_UP_ROUNDS,
    target: 0.8,
    prepare: prepareSwaps,
  },
  {
    name: 'projection.event-3',
    baseline: "reference algorithm with fsync on ext4: write to a watcher's event, 3 files",
    better: 'lower',
    warmUpRounds: WARM_UP_ROUNDS,
    target: 0.8,
    prepare: prepareEvents,
  },
];
