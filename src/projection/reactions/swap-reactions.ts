/**
 * Runs reactions. For each projection at most one run is under way; what is swapped meanwhile is answered by ONE later run
 * with the newest generation. A swap never waits for a run. What is due is read from the store each time, so a run that a
 * crash cut short is due again at the next start: every newest generation is reacted to at least once. A reaction that
 * fails is noted and not repeated; those after it run all the same. Main thread.
 */
import type { Clock } from '../../base/clock.ts';
import type { GenerationId } from '../../base/ids.ts';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import {
  type Counter,
  DURATION_BUCKETS_SECONDS,
  type Histogram,
  type Metrics,
  silentMetrics,
} from '../../base/metrics.ts';
import type { Catalog } from '../catalog.ts';
import { describeReaction, type Reaction, type ReactionOutcome, type SwapEvent } from './reaction.ts';
import type { ReactionRecords, ReactionRun } from './reaction-records.ts';

/** Carries one reaction out; says in the outcome what went wrong. Ends early (and fails) when `ending` is aborted. */
export type PerformReaction = (reaction: Reaction, event: SwapEvent, ending: AbortSignal) => Promise<ReactionOutcome>;

export interface SwapReactionsOptions {
  readonly records: ReactionRecords;
  readonly catalog: Pick<Catalog, 'refresh' | 'findProjection' | 'projection'>;
  readonly perform: PerformReaction;
  /** Absolute path of projections/ in the mount. */
  readonly projectionsPath: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics;
}

/** What people see of the reactions of a projection. */
export interface ReactionsView {
  readonly reactions: readonly string[];
  /** A run is under way, or due. */
  readonly pending: boolean;
  readonly runs: number;
  readonly failures: number;
  readonly last: ReactionRun | undefined;
}

interface Generation {
  readonly id: GenerationId;
  readonly number: number;
}

interface Due {
  readonly reactions: readonly Reaction[];
  readonly generation: Generation;
}

export class SwapReactions {
  readonly #options: SwapReactionsOptions;
  readonly #records: ReactionRecords;
  readonly #running = new Map<string, Promise<void>>();
  readonly #ending = new AbortController();
  /** Runs that could not be noted: they are not repeated before the next start. */
  readonly #unnoted = new Map<string, GenerationId>();
  readonly #waiting: (() => void)[] = [];
  #active = 0;
  #isClosing = false;
  readonly #counter: Counter;
  readonly #durations: Histogram;

  constructor(options: SwapReactionsOptions) {
    this.#options = options;
    this.#records = options.records;
    const metrics = options.metrics ?? silentMetrics;
    this.#counter = metrics.counter({
      name: 'dunnage_reactions_total',
      help: 'Reactions to swaps that were carried out, by outcome (done, failed).',
      labelNames: ['outcome'],
    });
    this.#durations = metrics.histogram({
      name: 'dunnage_reaction_run_duration_seconds',
      help: 'From the first reaction of a run to the end of the last.',
      buckets: DURATION_BUCKETS_SECONDS,
    });
  }

  /** Before a write; says whether the list changes with it. Throws NO_SPACE. Preconditions: no other write of the projection. */
  prepare(directory: string, reactions: readonly Reaction[]): boolean {
    return this.#records.want(directory, reactions, this.#published(directory)?.id ?? 0);
  }

  /**
   * After every change of a projection, also one that failed (`succeeded` false): its newest generation is answered if it
   * was not yet. Never throws: what was published is published.
   */
  settle(directory: string, succeeded: boolean): void {
    try {
      const { wanted } = this.#records.get(directory) ?? {};
      if (wanted !== undefined) {
        const isPublished = (this.#published(directory)?.id ?? 0) !== wanted.publishedBefore;
        if (succeeded || isPublished) this.#records.adopt(directory);
        else this.#records.giveUp(directory);
      }
    } catch (error) {
      this.#options.log.error({ directory, error: String(error) }, 'reactions are settled at the next start');
    }
    this.#consider(directory);
  }

  /** The projection is gone: nothing is run for it any more. A run that is under way goes on. */
  forget(directory: string): void {
    this.#unnoted.delete(directory);
    try {
      this.#records.remove(directory);
    } catch (error) {
      this.#options.log.error({ directory, error: String(error) }, 'reactions are removed at the next start');
    }
  }

  /** At start, when the tree is mended: runs what an earlier daemon did not get to. */
  recover(): void {
    this.#options.catalog.refresh();
    for (const directory of this.#records.directories()) {
      if (this.#options.catalog.findProjection(directory) === undefined) this.forget(directory);
      else this.settle(directory, false);
    }
  }

  view(directory: string): ReactionsView | undefined {
    const record = this.#records.get(directory);
    if (record === undefined || record.reactions.length === 0) return undefined;
    return {
      reactions: record.reactions.map(describeReaction),
      pending: this.#running.has(directory) || this.#due(directory) !== undefined,
      runs: record.runs,
      failures: record.failures,
      last: record.last,
    };
  }

  /** Resolves when nothing is running or due. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Begins nothing new; what runs gets a short time, is ended then, and is due again at the next start. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const grace = setTimeout(() => this.#ending.abort(), limits.reactionCloseGraceMs);
    await this.idle();
    clearTimeout(grace);
  }

  #consider(directory: string): void {
    if (this.#isClosing || this.#running.has(directory)) return;
    try {
      if (this.#due(directory) === undefined) return;
    } catch (error) {
      this.#options.log.error({ directory, error: String(error) }, 'reactions cannot be looked up');
      return;
    }
    const run = this.#runDue(directory)
      .catch((error: unknown) => {
        this.#options.log.error({ directory, error: String(error) }, 'reactions could not be run');
      })
      .finally(() => {
        if (this.#running.get(directory) === run) this.#running.delete(directory);
      });
    this.#running.set(directory, run);
  }

  async #runDue(directory: string): Promise<void> {
    for (;;) {
      await this.#enter();
      try {
        // Looked up only now: this is where swaps that came while waiting coalesce.
        const due = this.#isClosing ? undefined : this.#due(directory);
        if (due === undefined) {
          // At once, so that a swap that comes before this promise is settled starts a run of its own.
          this.#running.delete(directory);
          return;
        }
        await this.#run(directory, due);
      } finally {
        this.#leave();
      }
      if (this.#ending.signal.aborted) return;
    }
  }

  async #run(directory: string, { reactions, generation }: Due): Promise<void> {
    const { clock, log, perform, projectionsPath } = this.#options;
    const event: SwapEvent = {
      projection: directory,
      generation: generation.number,
      path: `${projectionsPath}/${directory}`,
    };
    const startedAtMs = clock.nowMs();
    const startMs = clock.monotonicMs();
    const outcomes: (ReactionOutcome & { readonly reaction: string })[] = [];
    for (const reaction of reactions) {
      const what = describeReaction(reaction);
      const outcome = await perform(reaction, event, this.#ending.signal).catch(
        (error: unknown): ReactionOutcome => ({ succeeded: false, detail: String(error) }),
      );
      // Cut short by the end of the daemon: not noted, so the next one repeats the run.
      if (this.#ending.signal.aborted) return;
      outcomes.push({ reaction: what, ...outcome });
      this.#counter.increase({ outcome: outcome.succeeded ? 'done' : 'failed' });
      const fields = { directory, generation: generation.number, reaction: what, detail: outcome.detail };
      if (outcome.succeeded) log.info(fields, 'reaction to a swap');
      else log.warn(fields, 'a reaction to a swap failed');
    }
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    this.#durations.observe(durationMs / 1000);
    this.#note(directory, generation.id, { generation: generation.number, startedAtMs, durationMs, outcomes });
  }

  #note(directory: string, id: GenerationId, run: ReactionRun): void {
    try {
      this.#options.catalog.refresh();
      this.#records.noteRun(directory, id, run);
    } catch (error) {
      this.#unnoted.set(directory, id);
      this.#options.log.error({ directory, error: String(error) }, 'a run of reactions could not be noted');
    }
  }

  #due(directory: string): Due | undefined {
    const record = this.#records.get(directory);
    if (record === undefined || record.reactions.length === 0) return undefined;
    const generation = this.#published(directory);
    if (generation === undefined || generation.id === record.done) return undefined;
    return generation.id === this.#unnoted.get(directory) ? undefined : { reactions: record.reactions, generation };
  }

  /** The live generation. */
  #published(directory: string): Generation | undefined {
    const { catalog } = this.#options;
    catalog.refresh();
    const id = catalog.findProjection(directory);
    const record = id === undefined ? undefined : catalog.projection(id);
    if (record?.state !== 'live' || record.generation === 0) return undefined;
    return { id: record.generation, number: record.number };
  }

  async #enter(): Promise<void> {
    if (this.#active >= limits.reactionsRunningMax) {
      // Who leaves hands its place over.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return;
    }
    this.#active += 1;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#active -= 1;
    else next();
  }
}
