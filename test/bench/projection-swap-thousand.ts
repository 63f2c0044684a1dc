/** A swap of many files of which one changed by a byte: the reference writes all of them anew. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';
import { referenceWrite } from './reference-writer.ts';

const FILES = 1000;
/** Until the compiler of V8 has nothing left to do. */
const WARM_UP_ROUNDS = 25;
const TOTAL_BYTES = 4 * 1024 * 1024;
const FILE_BYTES = Math.ceil(TOTAL_BYTES / FILES);

let counter = 0;

/** As a caller has them who read them anew: no buffer is that of the call before. */
function nextFiles(): Map<string, Uint8Array> {
  counter += 1;
  return new Map(
    Array.from({ length: FILES }, (_, index) => {
      const data = Buffer.alloc(FILE_BYTES, `${index};`);
      if (index === FILES / 2) data.writeUInt8(counter % 256, FILE_BYTES - 1);
      return [`file-${String(index).padStart(4, '0')}`, data];
    }),
  );
}

async function prepareSwaps(context: BenchContext, durable: boolean): Promise<Rounds> {
  const { daemon } = await context.ownDaemon();
  const name = durable ? 'swap-1000-durable' : 'swap-1000-plain';
  const directory = join(context.plainFolder, name);
  mkdirSync(directory);
  let swaps = 0;
  let requests = 0;
  return {
    async ours() {
      const files = new Map([...nextFiles()].map(([path, data]) => [path, { data, mode: 0o644 }]));
      const before = await context.projectionRequests(daemon.operations);
      const start = process.hrtime.bigint();
      const { action } = await daemon.operations.writeProjection(name, files);
      const nanoseconds = Number(process.hrtime.bigint() - start);
      if (action === 'unchanged') throw new Error('nothing was swapped');
      // The first write makes a thousand links.
      if (swaps > 0) requests += (await context.projectionRequests(daemon.operations)) - before;
      swaps += 1;
      return nanoseconds;
    },
    baseline() {
      const files = nextFiles();
      const start = process.hrtime.bigint();
      referenceWrite(directory, files, { durable });
      return Promise.resolve(Number(process.hrtime.bigint() - start));
    },
    counts: () => Promise.resolve({ 'requests per swap': requests / (swaps - 1) }),
    close: () => Promise.resolve(),
  };
}

export const thousandFilesBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'projection.swap-1000-durable',
    baseline: 'reference algorithm with fsync on ext4: 1000 files, 4 MiB, one byte changed',
    better: 'lower',
    warmUpRounds: WARM_UP_ROUNDS,
    target: 0.02,
    prepare: (context) => prepareSwaps(context, true),
  },
  {
    name: 'projection.swap-1000-plain',
    baseline: 'reference algorithm without fsync on ext4: the same (ours is durable)',
    better: 'lower',
    warmUpRounds: WARM_UP_ROUNDS,
    target: 0.5,
    prepare: (context) => prepareSwaps(context, false),
  },
];
