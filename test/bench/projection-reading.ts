/** What containers do all day with projected files: read, stat and list what has been read before. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext, Loop } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';
import { referenceWrite } from './reference-writer.ts';

const FILES = 100;
const FILE_BYTES = 4096;
const LISTED_NAMES = 10_000;

interface Sides {
  readonly name: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly loop: Loop;
  /** Directory in the projection where the loop stands; '' for the projection itself. */
  readonly directory: string;
  /** Names that the loop is given. */
  readonly names: readonly string[];
  /** Times the loop goes over all names in one round. */
  readonly repetitions: number;
}

/** The same files by the reference's algorithm on the plain folder and as a projection; the same loop over both. */
async function prepareSides(context: BenchContext, sides: Sides): Promise<Rounds> {
  const daemon = await context.daemon();
  const plain = join(context.plainFolder, sides.name);
  mkdirSync(plain);
  referenceWrite(plain, sides.files, { durable: false });
  const payload = new Map([...sides.files].map(([path, data]) => [path, { data, mode: 0o644 }]));
  await daemon.client.writeProjection(sides.name, payload);
  const projected = join(daemon.mountPoint, 'projections', sides.name);
  let requests = 0;
  let isWarm = false;
  return {
    async ours() {
      const before = await context.projectionRequests((await context.daemon()).client);
      const nanoseconds = await context.runProbe(
        sides.loop,
        sides.repetitions,
        join(projected, sides.directory),
        sides.names,
      );
      // The first round is the one that fills the kernel's caches.
      if (isWarm) requests += (await context.projectionRequests((await context.daemon()).client)) - before;
      isWarm = true;
      return nanoseconds;
    },
    baseline: () => context.runProbe(sides.loop, sides.repetitions, join(plain, sides.directory), sides.names),
    counts: () => Promise.resolve({ requests }),
    // Left to the end of the daemon: what the kernel forgets after a deletion would be counted in the next figure.
    close: () => Promise.resolve(),
  };
}

function manyFiles(count: number, path: (index: number) => string, sizeBytes: number): Map<string, Uint8Array> {
  return new Map(Array.from({ length: count }, (_, index) => [path(index), Buffer.alloc(sizeBytes, `${index};`)]));
}

const hotFiles = (): Map<string, Uint8Array> => manyFiles(FILES, (index) => `file-${index}`, FILE_BYTES);

export const readingBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'projection.read-hot',
    baseline: 'ext4, same layout: open through both links, read 4 KiB, close',
    better: 'higher',
    target: 0.6,
    countsMax: { requests: 0 },
    prepare: (context) =>
      prepareSides(context, {
        name: 'read-hot',
        directory: '',
        files: hotFiles(),
        loop: 'read',
        names: [...hotFiles().keys()],
        repetitions: 200,
      }),
  },
  {
    name: 'projection.stat-hot',
    baseline: 'ext4, same layout: stat in ..data',
    better: 'higher',
    target: 0.8,
    countsMax: { requests: 0 },
    prepare: (context) =>
      prepareSides(context, {
        name: 'stat-hot',
        directory: '..data',
        files: hotFiles(),
        loop: 'stat',
        names: [...hotFiles().keys()],
        repetitions: 500,
      }),
  },
  {
    name: 'projection.list-10k',
    baseline: 'ext4: readdir of 10,000 names',
    better: 'higher',
    target: 3,
    prepare: (context) =>
      prepareSides(context, {
        name: 'list-10k',
        directory: '',
        files: manyFiles(LISTED_NAMES, (index) => `names/name-${String(index).padStart(5, '0')}`, 0),
        loop: 'list',
        names: ['names'],
        repetitions: 20,
      }),
  },
];
