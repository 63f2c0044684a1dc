/** The daemon's figures: a Prometheus registry behind the port of the rooms. Nothing runs until somebody asks. */
import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from 'prom-client';
import type { Log } from '../base/log.ts';
import type {
  Counter,
  Gauge,
  Histogram,
  HistogramDescription,
  MetricDescription,
  Metrics,
  ObservedDescription,
  Sample,
} from '../base/metrics.ts';

const SCRAPE_ERRORS = {
  name: 'dunnage_scrape_errors_total',
  help: 'Figures that could not be looked up when somebody asked for them.',
};

export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #log: Log;
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #scrapeErrors: Counter;

  constructor(log: Log) {
    this.#log = log;
    this.#scrapeErrors = this.counter(SCRAPE_ERRORS);
  }

  counter(description: MetricDescription): Counter {
    return remembered(this.#counters, description.name, () => {
      const counter = new PromCounter(this.#settings(description));
      return { increase: (labels = {}, by = 1) => counter.inc(labels, by) };
    });
  }

  gauge(description: MetricDescription): Gauge {
    return remembered(this.#gauges, description.name, () => {
      const gauge = new PromGauge(this.#settings(description));
      return { set: (value, labels = {}) => gauge.set(labels, value) };
    });
  }

  histogram(description: HistogramDescription): Histogram {
    return remembered(this.#histograms, description.name, () => {
      const histogram = new PromHistogram({ ...this.#settings(description), buckets: [...description.buckets] });
      return { observe: (value, labels = {}) => histogram.observe(labels, value) };
    });
  }

  observed(description: ObservedDescription, read: () => Iterable<Sample> | Promise<Iterable<Sample>>): void {
    const settings = this.#settings(description);
    const collect = async (reset: () => void, put: (sample: Sample) => void): Promise<void> => {
      reset();
      try {
        for (const sample of await read()) put(sample);
      } catch (error) {
        this.#scrapeErrors.increase();
        this.#log.warn({ metric: description.name, error: String(error) }, 'a figure could not be looked up');
      }
    };
    if (description.type === 'counter') {
      const counter: PromCounter = new PromCounter({
        ...settings,
        collect: () =>
          collect(
            () => clear(counter),
            ({ value, labels = {} }) => counter.inc(labels, value),
          ),
      });
    } else {
      const gauge: PromGauge = new PromGauge({
        ...settings,
        collect: () =>
          collect(
            () => clear(gauge),
            ({ value, labels = {} }) => gauge.set(labels, value),
          ),
      });
    }
  }

  /** Everything in Prometheus' text format, version 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #settings({ name, help, labelNames = [] }: MetricDescription): {
    name: string;
    help: string;
    labelNames: string[];
    registers: Registry[];
  } {
    return { name, help, labelNames: [...labelNames], registers: [this.#registry] };
  }
}

function remembered<T>(known: Map<string, T>, name: string, make: () => T): T {
  let found = known.get(name);
  if (found === undefined) {
    found = make();
    known.set(name, found);
  }
  return found;
}

/** Without labels `reset` leaves a 0, which nobody looked up. */
function clear(figure: PromCounter | PromGauge): void {
  figure.reset();
  figure.remove({});
}
