/** Median and its confidence interval without any assumption about the distribution: order statistics. */

export interface Estimate {
  readonly median: number;
  /** Bounds of the 95 % confidence interval of the median. */
  readonly low: number;
  readonly high: number;
}

const CONFIDENCE = 0.95;

/** P(X <= k) for X ~ Binomial(n, 1/2). */
function binomialHalfCumulative(n: number, k: number): number {
  let term = 0.5 ** n;
  let sum = 0;
  for (let i = 0; i <= k; i += 1) {
    sum += term;
    term = (term * (n - i)) / (i + 1);
  }
  return sum;
}

/**
 * The number of samples below the median follows Binomial(n, 1/2), so the k-th smallest and the k-th largest enclose
 * it with probability 1 - 2 P(X < k). At least 6 samples are needed for 95 %; with fewer the interval is their range.
 */
export function estimateMedian(samples: readonly number[]): Estimate {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (index: number): number => sorted[Math.min(Math.max(index, 0), sorted.length - 1)] ?? Number.NaN;
  const n = sorted.length;
  const median = (at(Math.floor((n - 1) / 2)) + at(Math.ceil((n - 1) / 2))) / 2;
  let k = 0;
  while (1 - 2 * binomialHalfCumulative(n, k) >= CONFIDENCE) k += 1;
  const index = Math.max(k - 1, 0);
  return { median, low: at(index), high: at(n - 1 - index) };
}
