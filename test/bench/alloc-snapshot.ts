/** Snapshots of allocs against GNU tar of the same directories: both read what is in the page cache, and write a file of the same disk. */
import { execFile } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { snapshotAlloc } from '../../src/alloc/snapshot/snapshot-alloc.ts';
import type { BenchContext } from './context.ts';
import type { Benchmark, Rounds } from './harness.ts';

const run = promisify(execFile);
const ID = 'bench';

const LARGE_FILES = 4;
const LARGE_BYTES = 50_331_648;
const SMALL_FILES = 20_000;
const SMALL_DIRECTORIES = 100;
const SMALL_BYTES_MAX = 4_096;

function makeLarge(data: string): void {
  for (let index = 0; index < LARGE_FILES; index += 1)
    writeFileSync(join(data, `file-${index}`), Buffer.alloc(LARGE_BYTES, `${index};`));
}

function makeSmall(data: string): void {
  for (let index = 0; index < SMALL_DIRECTORIES; index += 1) mkdirSync(join(data, `directory-${index}`));
  for (let index = 0; index < SMALL_FILES; index += 1) {
    const path = join(data, `directory-${index % SMALL_DIRECTORIES}`, `file-${index}`);
    writeFileSync(path, Buffer.alloc(1 + ((index * 37) % SMALL_BYTES_MAX), `${index};`));
  }
}

async function prepareSnapshots(context: BenchContext, make: (data: string) => void): Promise<Rounds> {
  const folder = mkdtempSync(join(context.parent, 'dn-'));
  const path = join(folder, 'allocs');
  const data = join(path, ID, 'alloc/data');
  mkdirSync(data, { recursive: true });
  make(data);
  const archive = join(folder, 'snapshot.tar');
  let archiveBytes = 0;
  let entries = 0;
  const timed = async (write: () => Promise<void>): Promise<number> => {
    const start = process.hrtime.bigint();
    await write();
    const nanoseconds = Number(process.hrtime.bigint() - start);
    if (statSync(archive).size < SMALL_FILES) throw new Error('the archive is not complete');
    // Before its pages are written to the disk.
    rmSync(archive);
    return nanoseconds;
  };
  return {
    ours: () =>
      timed(async () => {
        const report = await snapshotAlloc({ directory: { path }, id: ID, tasks: [] }, createWriteStream(archive));
        archiveBytes = report.archiveBytes;
        entries = report.entries;
      }),
    baseline: () => timed(async () => void (await run('tar', ['-C', join(path, ID), '-cf', archive, 'alloc/data']))),
    counts: () => Promise.resolve({ entries, archiveBytes }),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const allocSnapshotBenchmarks: readonly Benchmark<BenchContext>[] = [
  {
    name: 'alloc.snapshot-large',
    baseline: `GNU tar of ${LARGE_FILES} files of 48 MiB`,
    better: 'higher',
    target: 0.8,
    prepare: (context) => prepareSnapshots(context, makeLarge),
  },
  {
    name: 'alloc.snapshot-small',
    baseline: `GNU tar of ${SMALL_FILES} files of up to 4 KiB`,
    better: 'higher',
    target: 0.5,
    prepare: (context) => prepareSnapshots(context, makeSmall),
  },
];
