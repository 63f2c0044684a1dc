/**
 * Figures as a port: rooms below the daemon count and measure through this, a Prometheus registry stands behind it.
 *
 * Names are Prometheus' own (`dunnage_..._total`, `..._seconds`, `..._bytes`); `docs/metrics.md` lists each of them. Asking
 * for a name again gives the same figure. Label values are names of objects and codes, never content.
 */
export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricDescription {
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  readonly labelNames?: readonly string[];
}

export interface HistogramDescription extends MetricDescription {
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

export interface ObservedDescription extends MetricDescription {
  readonly type: 'counter' | 'gauge';
}

export interface Counter {
  increase(labels?: MetricLabels, by?: number): void;
}

export interface Gauge {
  set(value: number, labels?: MetricLabels): void;
}

export interface Histogram {
  observe(value: number, labels?: MetricLabels): void;
}

export interface Sample {
  readonly value: number;
  readonly labels?: MetricLabels;
}

export interface Metrics {
  counter(description: MetricDescription): Counter;
  gauge(description: MetricDescription): Gauge;
  histogram(description: HistogramDescription): Histogram;
  /** A figure that is looked up when somebody asks for it. What `read` throws is logged and leaves this figure out. */
  observed(description: ObservedDescription, read: () => Iterable<Sample> | Promise<Iterable<Sample>>): void;
}

/** Bounds for times from a tenth of a millisecond to ten seconds. */
export const DURATION_BUCKETS_SECONDS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025],
  ...[0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];

export const silentMetrics: Metrics = {
  counter: () => ({ increase() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
  observed() {},
};
