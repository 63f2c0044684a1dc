/**
 * A benchmark is a ratio to a baseline measured in the same run: rounds of both sides alternate, so that what the
 * machine does besides hits both. What does not depend on the machine (requests, flushes) is reported as counts.
 */
import { type Estimate, estimateMedian } from './statistics.ts';

export const ROUNDS_MIN = 15;

/** One prepared benchmark: each call of a side is one round and resolves to its cost (any unit, both the same). */
export interface Rounds {
  ours(): Promise<number>;
  baseline(): Promise<number>;
  /** What happened during all rounds, per operation or in all, as the names say. */
  counts(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

export interface Benchmark<Context> {
  readonly name: string;
  /** What the other side is, in a few words. */
  readonly baseline: string;
  /** `higher`: the ratio is baseline cost / our cost (speed). `lower`: our cost / baseline cost. */
  readonly better: 'higher' | 'lower';
  readonly target: number;
  /** Counts that must not be exceeded. */
  readonly countsMax?: Readonly<Record<string, number>>;
  /** Rounds thrown away before the measurement, at least one: a daemon runs for days, compiled and with warm caches. */
  readonly warmUpRounds?: number;
  /** Measured where it says little about real machines: it is listed, and misses nothing. */
  readonly isInformation?: true;
  /** Sets both sides up. A string is the reason why this cannot be measured here. */
  prepare(context: Context): Promise<Rounds | string>;
}

export interface Measured {
  readonly name: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly target: number;
  readonly better: 'higher' | 'lower';
  readonly pass: boolean;
  readonly baseline: string;
  readonly counts: Readonly<Record<string, number>>;
  /** The target is what would be good; missing it fails nothing. */
  readonly isInformation?: true;
}

export interface NotMeasured {
  readonly name: string;
  readonly target: number;
  readonly better: 'higher' | 'lower';
  readonly baseline: string;
  readonly skipped: string;
}

export type Result = Measured | NotMeasured;

function judge<Context>(benchmark: Benchmark<Context>, estimate: Estimate, counts: Measured['counts']): boolean {
  if (benchmark.isInformation === true) return true;
  const reached =
    benchmark.better === 'higher' ? estimate.median >= benchmark.target : estimate.median <= benchmark.target;
  const exceeded = Object.entries(benchmark.countsMax ?? {}).some(([name, max]) => !((counts[name] ?? max + 1) <= max));
  return reached && !exceeded;
}

async function measure<Context>(benchmark: Benchmark<Context>, rounds: Rounds, count: number): Promise<Measured> {
  for (let round = 0; round < (benchmark.warmUpRounds ?? 1); round += 1) {
    await rounds.baseline();
    await rounds.ours();
  }
  const ratios: number[] = [];
  for (let round = 0; round < count; round += 1) {
    let ours: number;
    let baseline: number;
    if (round % 2 === 0) {
      ours = await rounds.ours();
      baseline = await rounds.baseline();
    } else {
      baseline = await rounds.baseline();
      ours = await rounds.ours();
    }
    ratios.push(benchmark.better === 'higher' ? baseline / ours : ours / baseline);
  }
  const estimate = estimateMedian(ratios);
  const counts = await rounds.counts();
  const { name, target, better } = benchmark;
  const pass = judge(benchmark, estimate, counts);
  const { median, low, high } = estimate;
  const information = benchmark.isInformation === true ? { isInformation: true as const } : {};
  return { name, ratio: median, low, high, target, better, pass, baseline: benchmark.baseline, counts, ...information };
}

/** Runs one benchmark. `count` rounds, never fewer than ROUNDS_MIN. */
export async function runBenchmark<Context>(
  benchmark: Benchmark<Context>,
  context: Context,
  count: number = ROUNDS_MIN,
): Promise<Result> {
  const rounds = await benchmark.prepare(context);
  if (typeof rounds === 'string') {
    const { name, target, better, baseline } = benchmark;
    return { name, target, better, baseline, skipped: rounds };
  }
  let result: Result;
  try {
    result = await measure(benchmark, rounds, Math.max(count, ROUNDS_MIN));
  } catch (error) {
    // What went wrong first may be why it cannot be closed either.
    await rounds.close().catch(() => undefined);
    throw error;
  }
  await rounds.close();
  return result;
}
