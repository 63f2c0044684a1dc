/** What tasks do with their files all day, in the directory of an alloc and in a plain folder of the same disk. */
import { execFile } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileProgram } from '../tools/compile-program.ts';
import type { AllocSide } from './alloc-side.ts';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';

const run = promisify(execFile);

const FILE_BYTES = 256 * 1024 ** 2;
const WRITTEN_BYTES = 128 * 1024 ** 2;
const RANDOM_READS = 60_000;
const RANDOM_WRITES = 30_000;
const CREATED_FILES = 1500;
const STATTED_FILES = 1000;
const STAT_ROUNDS = 50;
const WALKED_FOLDERS = 500;
const WALKED_FILES_PER_FOLDER = 100;
const ARCHIVED_FOLDERS = 40;
const ARCHIVED_FILES_PER_FOLDER = 30;

interface Work {
  /** Made once in the folder of each side, without the cost being counted. */
  readonly setUp?: (folder: string) => void | Promise<void>;
  /** Arguments of the probe for one round in that folder. */
  readonly probe: (folder: string, round: number) => readonly string[];
  /** Operations of a round: what requests are counted by. */
  readonly operations: number;
}

/** Nanoseconds of one round. */
type Measure = (folder: string, round: number) => Promise<number>;

async function rounds(
  context: BenchContext,
  work: Pick<Work, 'setUp' | 'operations'>,
  measure: Measure,
): Promise<Rounds | string> {
  const side = await context.allocSide();
  if (typeof side === 'string') return side;
  const plain = join(context.plainFolder, 'files');
  const ours = join(side.directory, 'files');
  for (const folder of [plain, ours]) {
    mkdirSync(folder);
    await work.setUp?.(folder);
  }
  await flush();
  return alternately(side, work.operations, plain, ours, measure);
}

function alternately(side: AllocSide, operations: number, plain: string, ours: string, measure: Measure): Rounds {
  let count = 0;
  let requests = 0;
  let measured = -1;
  return {
    async ours() {
      const before = await side.requests();
      const nanoseconds = await measure(ours, count++);
      // The first round fills the kernel's caches.
      if (measured >= 0) requests += (await side.requests()) - before;
      measured += 1;
      return nanoseconds;
    },
    baseline: () => measure(plain, count++),
    counts: () => Promise.resolve({ requestsPerOperation: requests / (Math.max(measured, 1) * operations) }),
    close: () => {
      for (const folder of [plain, ours]) rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** What was written before must not be written back while something is measured. */
async function flush(): Promise<void> {
  await run('sync');
}

function probed(work: Work): (context: BenchContext) => Promise<Rounds | string> {
  return (context) => {
    const program = compileProgram('test/bench/native/disk-probe.cc', 'bench-disk-probe');
    return rounds(context, work, async (folder, round) => {
      const { stdout } = await run(program, [...work.probe(folder, round)]);
      return Number(stdout);
    });
  };
}

/** A file of real blocks, in the cache. */
function largeFile(folder: string): void {
  const file = openSync(join(folder, 'large'), 'w');
  const block = Buffer.alloc(1024 ** 2, 'data');
  for (let written = 0; written < FILE_BYTES; written += block.length) writeFileSync(file, block);
  ftruncateSync(file, FILE_BYTES);
  closeSync(file);
}

function manyFiles(folder: string, folders: number, files: number, sizeBytes: (index: number) => number): void {
  for (let outer = 0; outer < folders; outer += 1) {
    const inner = join(folder, `folder-${outer}`);
    mkdirSync(inner);
    for (let index = 0; index < files; index += 1) {
      writeFileSync(join(inner, `file-${index}`), Buffer.alloc(sizeBytes(outer * files + index), `${index};`));
    }
  }
}

/** Sizes as in a source tree: most small, some larger. */
const archivedBytes = (index: number): number => (index % 25 === 0 ? 200_000 : 500 + ((index * 7919) % 12_000));

async function prepareUntar(context: BenchContext): Promise<Rounds | string> {
  const tree = join(context.plainFolder, 'to-archive');
  mkdirSync(tree);
  manyFiles(tree, ARCHIVED_FOLDERS, ARCHIVED_FILES_PER_FOLDER, archivedBytes);
  const archive = join(context.plainFolder, 'archive.tar');
  await run('tar', ['-cf', archive, '-C', tree, '.']);
  rmSync(tree, { recursive: true, force: true });
  const operations = ARCHIVED_FOLDERS * ARCHIVED_FILES_PER_FOLDER;
  return await rounds(context, { operations }, async (folder, round) => {
    const target = join(folder, `untarred-${round}`);
    mkdirSync(target);
    const start = process.hrtime.bigint();
    await run('tar', ['-xf', archive, '-C', target]);
    const nanoseconds = Number(process.hrtime.bigint() - start);
    await flush();
    await run('rm', ['-rf', target]);
    return nanoseconds;
  });
}

const PLAIN = 'ext4, plain folder of the same disk';

function higher(
  name: string,
  target: number,
  what: string,
  prepare: Benchmark<BenchContext>['prepare'],
): Benchmark<BenchContext> {
  return { name: `alloc.${name}`, target, baseline: `${PLAIN}: ${what}`, better: 'higher', prepare };
}

export const allocFileBenchmarks: readonly Benchmark<BenchContext>[] = [
  higher(
    'seq-read',
    0.9,
    '256 MiB, 128 KiB at a time, cached',
    probed({
      setUp: largeFile,
      probe: (folder) => ['seq-read', join(folder, 'large')],
      operations: FILE_BYTES / (128 * 1024),
    }),
  ),
  higher(
    'seq-write',
    0.9,
    '128 MiB, 128 KiB at a time, no sync',
    probed({
      probe: (folder) => ['seq-write', join(folder, 'written'), String(WRITTEN_BYTES)],
      operations: WRITTEN_BYTES / (128 * 1024),
    }),
  ),
  higher(
    'rand-read',
    0.85,
    '4 KiB of 256 MiB, cached',
    probed({
      setUp: largeFile,
      probe: (folder) => ['rand-read', join(folder, 'large'), String(RANDOM_READS)],
      operations: RANDOM_READS,
    }),
  ),
  higher(
    'rand-write',
    0.8,
    '4 KiB of 256 MiB, no sync',
    probed({
      setUp: largeFile,
      probe: (folder) => ['rand-write', join(folder, 'large'), String(RANDOM_WRITES)],
      operations: RANDOM_WRITES,
    }),
  ),
  higher(
    'create',
    0.6,
    'create, write 4 KiB, close',
    probed({
      probe: (folder, round) => ['create', join(folder, `created-${round}`), String(CREATED_FILES)],
      operations: CREATED_FILES,
    }),
  ),
  higher('untar', 0.65, `GNU tar, ${ARCHIVED_FOLDERS * ARCHIVED_FILES_PER_FOLDER} files`, prepareUntar),
  higher(
    'stat',
    0.55,
    'stat of 1000 files, warm',
    probed({
      setUp: (folder) => manyFiles(folder, 1, STATTED_FILES, () => 0),
      probe: (folder) => ['stat', join(folder, 'folder-0'), String(STAT_ROUNDS)],
      operations: STATTED_FILES * STAT_ROUNDS,
    }),
  ),
  higher(
    'walk-50k',
    0.5,
    '50,000 files in 500 folders: readdir and lstat, warm',
    probed({
      setUp: (folder) => manyFiles(folder, WALKED_FOLDERS, WALKED_FILES_PER_FOLDER, () => 0),
      probe: (folder) => ['walk', folder],
      operations: WALKED_FOLDERS * WALKED_FILES_PER_FOLDER,
    }),
  ),
];
