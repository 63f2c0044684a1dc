/**
 * One projection that follows its sources: watches them, reads them after a change, and swaps if what they give is something
 * else. A reading or a write that fails leaves the live content as it is; what was wrong is kept to be shown, and it is tried
 * again.
 */
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { WantedProjection, WriteResult } from '../projection-service.ts';
import { HostWatch } from './host-watch.ts';
import { RefreshTimer } from './refresh-timer.ts';
import {
  type ReaderOptions,
  type Reading,
  type SourceProblem,
  SourceReader,
  type SourceState,
} from './source-reader.ts';
import type { SourceSeen } from './source-seen.ts';
import { objectsOf } from './source-spec.ts';
import type { KeptSpec } from './spec-table.ts';

export interface SourcedOptions extends ReaderOptions {
  readonly log: Log;
  readonly seen: SourceSeen;
  readonly write: (wanted: WantedProjection) => Promise<WriteResult>;
  /** A reading is due, for a change at that (monotonic) time: `refresh` is to be called when it is its turn. */
  readonly onDue: (sinceMs: number) => void;
}

export interface SourcedView {
  readonly sources: readonly SourceState[];
  /** Why the last refresh changed nothing, if it failed. */
  readonly problem: SourceProblem | undefined;
  readonly warnings: readonly string[];
}

export class SourcedProjection {
  readonly directory: string;
  readonly kept: KeptSpec;
  /** Directories under projections/ that it takes content from. */
  readonly uses: ReadonlySet<string>;
  readonly #options: SourcedOptions;
  readonly #reader: SourceReader;
  readonly #watches: HostWatch[];
  readonly #timer: RefreshTimer;
  readonly #abort = new AbortController();
  #problem: SourceProblem | undefined;
  #warnings: readonly string[] = [];
  #failures = 0;

  constructor(directory: string, kept: KeptSpec, options: SourcedOptions) {
    this.directory = directory;
    this.kept = kept;
    this.uses = objectsOf(kept.spec);
    this.#options = options;
    this.#reader = new SourceReader(kept, options, options.seen.get(directory)?.seenAtMs);
    this.#timer = new RefreshTimer(options.clock, options.onDue);
    const paths = kept.spec.sources.flatMap((source) => ('path' in source ? [source.path] : []));
    const { log, mountPoint } = options;
    const onChange = (): void => this.#timer.changed();
    this.#watches = [...new Set(paths)].map((path) => new HostWatch({ path, mountPoint, onChange, log }));
  }

  get view(): SourcedView {
    const unwatched = this.#watches.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
    return { sources: this.#reader.states, problem: this.#problem, warnings: [...this.#warnings, ...unwatched] };
  }

  /** Refreshes that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** An object it uses has changed, or the daemon has started. */
  trigger(): void {
    this.#timer.changed(0);
  }

  /** Watches, then reads: what changes afterwards makes another reading. Throws what the sources throw. */
  async read(): Promise<Reading> {
    for (const watch of this.#watches) await watch.arm();
    if (this.#watches.some(({ failure }) => failure !== undefined)) this.#timer.again(limits.sourcePollMs);
    return await this.#reader.read(this.#abort.signal);
  }

  /** Publishes a reading. `settings` are those that the manifest gives besides the content. */
  async publish(reading: Reading, settings: Partial<WantedProjection> = {}): Promise<WriteResult> {
    const { namespace, name } = this.kept.metadata;
    const result = await this.#options.write({
      kind: 'Projection',
      namespace,
      name,
      immutable: false,
      ...settings,
      directory: this.directory,
      secret: reading.secret,
      payload: reading.payload,
    });
    this.#succeeded(reading);
    return result;
  }

  /** Reads, and swaps if the sources give something else than they did; never throws. True if there was a swap. */
  async refresh(): Promise<boolean> {
    if (this.#abort.signal.aborted) return false;
    try {
      const reading = await this.read();
      try {
        if (reading.fingerprint === this.#options.seen.get(this.directory)?.fingerprint && this.#isLive()) {
          this.#succeeded(reading);
          return false;
        }
        return (await this.publish(reading)).action !== 'unchanged';
      } finally {
        reading.release();
      }
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#timer.close();
    for (const watch of this.#watches) await watch.close();
  }

  #isLive(): boolean {
    const { catalog } = this.#options;
    catalog.refresh();
    const id = catalog.findProjection(this.directory);
    return id !== undefined && catalog.projection(id)?.state === 'live';
  }

  #succeeded({ fingerprint, warnings }: Reading): void {
    const { seen, clock, log } = this.#options;
    seen.put(this.directory, { seenAtMs: clock.nowMs(), fingerprint });
    this.#problem = undefined;
    this.#timer.succeeded();
    if (this.#watches.some(({ failure }) => failure !== undefined)) this.#timer.again(limits.sourcePollMs);
    if (warnings.length > 0 && JSON.stringify(warnings) !== JSON.stringify(this.#warnings)) {
      log.warn({ directory: this.directory, warnings }, 'sources were merged with warnings');
    }
    this.#warnings = warnings;
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    const { log, clock } = this.#options;
    const code = error instanceof DunnageError ? error.code : 'INTERNAL';
    const message = error instanceof Error ? error.message : String(error);
    if (this.#problem?.message !== message) {
      log.warn(
        { directory: this.directory, code, error: message },
        'sources cannot be read: the content stays as it is',
      );
    }
    this.#problem = { code, message, atMs: clock.nowMs() };
    this.#failures += 1;
    this.#timer.failed();
  }
}
