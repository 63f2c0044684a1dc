/**
 * `npm run bench [-- --only PREFIX] [-- --json FILE] [-- --rounds N]`: measures every figure as a ratio to its baseline, prints
 * a table, writes the results as JSON if asked. Exit status 1 if a target is missed.
 *
 * Both sides lie on one disk: $DUNNAGE_BENCH_DIR, by default /var/tmp (which must not be a tmpfs).
 */
import { accessSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { allocFileBenchmarks } from './alloc-files.ts';
import { allocSnapshotBenchmarks } from './alloc-snapshot.ts';
import { BenchContext } from './context.ts';
import { type Benchmark, type Result, runBenchmark } from './harness.ts';
import { readingBenchmarks } from './projection-reading.ts';
import { scaleBenchmarks } from './projection-scale.ts';
import { thousandFilesBenchmarks } from './projection-swap-thousand.ts';
import { swappingBenchmarks } from './projection-swapping.ts';
import { formatTable } from './report.ts';
import { thinpoolBenchmarks } from './thinpool.ts';
import { guestThinpoolBenchmarks } from './thinpool-guest.ts';

const BENCHMARKS: readonly Benchmark<BenchContext>[] = [
  ...readingBenchmarks,
  ...swappingBenchmarks,
  ...thousandFilesBenchmarks,
  ...scaleBenchmarks,
  ...allocFileBenchmarks,
  ...allocSnapshotBenchmarks,
  ...thinpoolBenchmarks,
  ...guestThinpoolBenchmarks,
];

/** Why nothing that needs a mount can be measured here; undefined if it can. */
function obstacle(): string | undefined {
  if (process.geteuid?.() !== 0) return 'needs root (mounts with cached attributes for all users): run it with sudo';
  try {
    accessSync('/dev/fuse');
    return undefined;
  } catch {
    return 'this kernel has no /dev/fuse: modprobe fuse';
  }
}

async function measureAll(selected: readonly Benchmark<BenchContext>[], rounds: number): Promise<Result[]> {
  const skipped = obstacle();
  if (skipped !== undefined) {
    return selected.map(({ name, target, better, baseline }) => ({ name, target, better, baseline, skipped }));
  }
  const context = new BenchContext(process.env['DUNNAGE_BENCH_DIR'] ?? '/var/tmp');
  const results: Result[] = [];
  try {
    for (const benchmark of selected) {
      process.stderr.write(`${benchmark.name} ...\n`);
      results.push(await runBenchmark(benchmark, context, rounds));
    }
  } finally {
    await context.close();
  }
  return results;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      json: { type: 'string' },
      rounds: { type: 'string', default: '15' },
    },
  });
  const selected = BENCHMARKS.filter(({ name }) => name.startsWith(values.only));
  if (selected.length === 0) throw new Error(`no benchmark begins with "${values.only}"`);
  const results = await measureAll(selected, Number(values.rounds));
  console.log(formatTable(results));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  if (results.some((result) => 'pass' in result && !result.pass)) process.exitCode = 1;
}

await main();
