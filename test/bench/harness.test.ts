import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Benchmark, type Measured, ROUNDS_MIN, runBenchmark } from './harness.ts';
import { formatTable } from './report.ts';

interface Costs {
  readonly ours: number;
  readonly baseline: number;
  readonly counts?: Readonly<Record<string, number>>;
}

function benchmarkOf(costs: Costs, fields: Partial<Benchmark<string[]>> = {}): Benchmark<string[]> {
  return {
    name: 'sample.figure',
    baseline: 'nothing real',
    better: 'lower',
    target: 0.8,
    prepare: (log) => {
      const side = (name: string, cost: number) => () => {
        log.push(name);
        return Promise.resolve(cost);
      };
      return Promise.resolve({
        ours: side('ours', costs.ours),
        baseline: side('baseline', costs.baseline),
        counts: () => Promise.resolve(costs.counts ?? {}),
        close: async () => void log.push('close'),
      });
    },
    ...fields,
  };
}

const measured = async (costs: Costs, fields: Partial<Benchmark<string[]>> = {}): Promise<Measured> => {
  const result = await runBenchmark(benchmarkOf(costs, fields), []);
  assert.ok('ratio' in result);
  return result;
};

test('runBenchmark alternates which side goes first, for at least 15 rounds after one to warm up, and closes', async () => {
  const log: string[] = [];
  await runBenchmark(benchmarkOf({ ours: 1, baseline: 1 }), log, 3);
  assert.equal(log.length, 2 * (ROUNDS_MIN + 1) + 1);
  assert.deepEqual(log.slice(2, 6), ['ours', 'baseline', 'baseline', 'ours']);
  assert.equal(log.at(-1), 'close');
});

test('runBenchmark: a lower ratio is our cost by the baseline, a higher one the reverse', async () => {
  const lower = await measured({ ours: 1, baseline: 2 });
  assert.deepEqual([lower.ratio, lower.low, lower.high, lower.pass], [0.5, 0.5, 0.5, true]);
  const higher = await measured({ ours: 1, baseline: 2 }, { better: 'higher', target: 3 });
  assert.deepEqual([higher.ratio, higher.pass], [2, false]);
});

test('runBenchmark: a count beyond its bound, or missing, fails whatever the ratio', async () => {
  const fields = { countsMax: { requests: 0 } };
  assert.equal((await measured({ ours: 1, baseline: 2, counts: { requests: 0 } }, fields)).pass, true);
  assert.equal((await measured({ ours: 1, baseline: 2, counts: { requests: 1 } }, fields)).pass, false);
  assert.equal((await measured({ ours: 1, baseline: 2 }, fields)).pass, false);
});

test('runBenchmark: a figure for information misses nothing, and the table says what it is', async () => {
  const result = await measured({ ours: 3, baseline: 1 }, { isInformation: true });
  assert.deepEqual([result.ratio, result.pass, result.isInformation], [3, true, true]);
  assert.match(formatTable([result]), / {2}information {2}/);
});

test('runBenchmark closes what it prepared when a round fails', async () => {
  const log: string[] = [];
  const failing = benchmarkOf({ ours: 1, baseline: 1 });
  const prepare = async () => {
    const rounds = await failing.prepare(log);
    assert.ok(typeof rounds !== 'string');
    return { ...rounds, ours: () => Promise.reject(new Error('broken')) };
  };
  await assert.rejects(runBenchmark({ ...failing, prepare }, log), /broken/);
  assert.equal(log.at(-1), 'close');
});

test('a figure that cannot be measured is listed with its reason, in the result and in the table', async () => {
  const result = await runBenchmark(
    benchmarkOf({ ours: 1, baseline: 1 }, { prepare: async () => 'no such device' }),
    [],
  );
  assert.deepEqual(result, {
    name: 'sample.figure',
    target: 0.8,
    better: 'lower',
    baseline: 'nothing real',
    skipped: 'no such device',
  });
  const table = formatTable([result, await measured({ ours: 1, baseline: 1, counts: { requests: 3 } })]);
  assert.match(table, /sample\.figure .* skipped .* no such device/);
  assert.match(table, /1\.000 .* MISSED .* requests 3/);
});
