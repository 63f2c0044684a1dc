/**
 * All projections that have sources: applies their specs, follows them across restarts, and passes changes on from one
 * projection to those that take content from it. Main thread.
 *
 * A spec is kept before the swap that shows its content, and forgotten before its projection is deleted: a daemon that dies
 * in between follows the new spec, and never brings back what was deleted.
 */
import type { Clock } from '../../base/clock.ts';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { DURATION_BUCKETS_SECONDS, type Histogram, type Metrics } from '../../base/metrics.ts';
import { KeyedMutex } from '../../base/mutex.ts';
import { Turnstile } from '../../base/turnstile.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { SealingKey } from '../../store/sealing-key.ts';
import type { Store } from '../../store/store.ts';
import type { Catalog } from '../catalog.ts';
import type { WantedProjection, WriteResult } from '../projection-service.ts';
import { inOrderOfUse } from './dependency-graph.ts';
import { SourceSeen } from './source-seen.ts';
import { objectsOf, type SourcedSpec } from './source-spec.ts';
import { SourcedProjection, type SourcedView } from './sourced-projection.ts';
import { type KeptSpec, SpecTable } from './spec-table.ts';

export interface SourceServiceOptions {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly sealingKey: SealingKey;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly mountPoint: string;
  readonly write: (wanted: WantedProjection) => Promise<WriteResult>;
}

/** Something that is to be applied: where it goes, and its spec if it has sources. */
export interface Applicable {
  readonly directory: string;
  readonly sourced?: SourcedSpec;
}

export class SourceService {
  readonly #options: SourceServiceOptions;
  readonly #specs: SpecTable;
  readonly #seen: SourceSeen;
  readonly #mutex = new KeyedMutex<string>();
  readonly #turnstile = new Turnstile(limits.sourceReadsParallel);
  readonly #projections = new Map<string, SourcedProjection>();
  /** Kept specs that cannot be followed before they are applied again. */
  readonly #broken = new Map<string, SourcedView>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #latency: Histogram;

  constructor(options: SourceServiceOptions) {
    this.#options = options;
    this.#specs = new SpecTable(options.store, options.sealingKey);
    this.#seen = new SourceSeen(options.store);
    this.#latency = options.metrics.histogram({
      name: 'dunnage_source_change_to_swap_seconds',
      help: 'From the first sign that a source has changed until the swap that shows it, the quiet time included.',
      buckets: DURATION_BUCKETS_SECONDS,
    });
    this.#registerFigures(options.metrics);
  }

  /** Follows what was followed before; the reading happens in the background. */
  start(): void {
    for (const directory of this.#specs.directories()) {
      try {
        const kept = this.#specs.get(directory);
        if (kept === undefined) continue;
        const projection = this.#make(directory, kept);
        this.#projections.set(directory, projection);
        projection.trigger();
      } catch (error) {
        this.#cannotFollow(directory, error);
      }
    }
  }

  /**
   * In which order they are to be applied: each after what it takes content from.
   * @throws DunnageError INVALID_MANIFEST if the result would be a circle.
   */
  order<Item extends Applicable>(items: readonly Item[]): Item[] {
    const byDirectory = new Map(items.map((item) => [item.directory, item]));
    const uses = (directory: string): Iterable<string> => {
      const item = byDirectory.get(directory);
      if (item === undefined) return this.#projections.get(directory)?.uses ?? [];
      return item.sourced === undefined ? [] : objectsOf(item.sourced);
    };
    const ordered = inOrderOfUse([...byDirectory.keys()], uses);
    return ordered.flatMap((directory) => byDirectory.get(directory) ?? []);
  }

  /**
   * Reads the sources, publishes what they give, and follows them from now on. If anything fails, what was there before stays
   * as it was. `wanted` gives name and settings; its payload is not used.
   * @throws DunnageError of the source that cannot be read, of a collision, and what a write throws.
   */
  apply(wanted: WantedProjection, kept: KeptSpec): Promise<WriteResult & { readonly warnings: readonly string[] }> {
    return this.#mutex.run(wanted.directory, async () => {
      const { directory } = wanted;
      this.order([{ directory, sourced: kept.spec }]);
      const projection = this.#make(directory, kept);
      try {
        const reading = await this.#turnstile.run(() => projection.read());
        let result: WriteResult;
        try {
          result = await this.#replaceSpec(directory, kept, reading.secret, () => projection.publish(reading, wanted));
        } finally {
          reading.release();
        }
        await this.#projections.get(directory)?.close();
        this.#broken.delete(directory);
        this.#projections.set(directory, projection);
        return { ...result, warnings: projection.view.warnings };
      } catch (error) {
        await projection.close();
        throw error;
      }
    });
  }

  /** Keeps the new spec for the time of the task, and for good if that succeeds. */
  async #replaceSpec<T>(directory: string, kept: KeptSpec, secret: boolean, task: () => Promise<T>): Promise<T> {
    const undo = this.#specs.put(directory, kept, secret);
    try {
      return await task();
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** Runs a write of content that comes from no sources; those that were followed for it are not any more. */
  withoutSources<T>(directory: string, task: () => Promise<T>): Promise<T> {
    return this.#mutex.run(directory, async () => {
      const result = await task();
      await this.#forget(directory);
      return result;
    });
  }

  /** Forgets the sources, then runs the deletion. */
  delete(directory: string, task: () => Promise<void>): Promise<void> {
    return this.#mutex.run(directory, async () => {
      await this.#forget(directory);
      await task();
    });
  }

  /** @throws DunnageError READ_ONLY if the content of the projection comes from sources. */
  refuseWrite(directory: string): void {
    if (!this.#projections.has(directory) && !this.#broken.has(directory)) return;
    throw new DunnageError('READ_ONLY', `the content of ${directory} comes from its sources`, {
      remedy: 'change a source, apply a manifest without spec.sources, or delete the projection first',
    });
  }

  /** The content of an object was published or deleted. */
  changed(directory: string): void {
    for (const projection of this.#projections.values()) if (projection.uses.has(directory)) projection.trigger();
  }

  /** Undefined for a projection without sources. */
  view(directory: string): SourcedView | undefined {
    return this.#projections.get(directory)?.view ?? this.#broken.get(directory);
  }

  /** Directories of projections whose last refresh failed. */
  troubled(): string[] {
    const failing = [...this.#projections.values()].filter(({ view }) => view.problem !== undefined);
    return [...failing.map(({ directory }) => directory), ...this.#broken.keys()].sort();
  }

  /** Stops to follow; what is being published is waited for. */
  async close(): Promise<void> {
    for (const projection of this.#projections.values()) await projection.close();
    await Promise.allSettled([...this.#running]);
  }

  async #forget(directory: string): Promise<void> {
    const projection = this.#projections.get(directory);
    if (projection === undefined && !this.#broken.has(directory)) return;
    this.#projections.delete(directory);
    this.#broken.delete(directory);
    await projection?.close();
    this.#specs.remove(directory);
    this.#seen.remove(directory);
  }

  #make(directory: string, kept: KeptSpec): SourcedProjection {
    const projection: SourcedProjection = new SourcedProjection(directory, kept, {
      ...this.#options,
      seen: this.#seen,
      onDue: (sinceMs) => this.#run(() => this.#refresh(projection, sinceMs)),
    });
    return projection;
  }

  #refresh(projection: SourcedProjection, sinceMs: number): Promise<void> {
    return this.#mutex.run(projection.directory, async () => {
      // It may have been replaced or deleted while it waited.
      if (this.#projections.get(projection.directory) !== projection) return;
      const swapped = await this.#turnstile.run(() => projection.refresh());
      if (swapped) this.#latency.observe((this.#options.clock.monotonicMs() - sinceMs) / 1000);
    });
  }

  #run(task: () => Promise<void>): void {
    const running = task()
      .catch((error: unknown) => this.#options.log.error({ error: String(error) }, 'a refresh of sources broke'))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #cannotFollow(directory: string, error: unknown): void {
    const code = error instanceof DunnageError ? error.code : 'INTERNAL';
    const message = error instanceof Error ? error.message : String(error);
    this.#options.log.warn({ directory, code, error: message }, 'sources cannot be followed');
    const problem = { code, message, atMs: this.#options.clock.nowMs() };
    this.#broken.set(directory, { sources: [], problem, warnings: [] });
  }

  #registerFigures(metrics: Metrics): void {
    const each = (): SourcedProjection[] => [...this.#projections.values()];
    metrics.observed(
      {
        type: 'gauge',
        name: 'dunnage_source_seen_timestamp_seconds',
        help: 'When a source of a projection was last read successfully, seconds since the epoch.',
        labelNames: ['directory', 'source'],
      },
      () =>
        each().flatMap(({ directory, view }) =>
          view.sources.flatMap(({ source, seenAtMs }) =>
            seenAtMs === undefined ? [] : [{ value: seenAtMs / 1000, labels: { directory, source } }],
          ),
        ),
    );
    metrics.observed(
      {
        type: 'counter',
        name: 'dunnage_source_refresh_failures_total',
        help: 'Refreshes of a projection from its sources that failed and left its content as it was.',
        labelNames: ['directory'],
      },
      () => each().map(({ directory, failures }) => ({ value: failures, labels: { directory } })),
    );
  }
}
