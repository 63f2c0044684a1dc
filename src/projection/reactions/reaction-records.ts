/**
 * The table of reactions: what to do after a swap of each projection, and for which generation it was done. A generation
 * that is published and not `done` is due; that is all a start needs to know after a crash. Ids of generations are never
 * used again, numbers are (with the name of a deleted projection).
 *
 * A change of the list goes with a write: it is stored as `wanted` before the swap, and becomes the list when the write has
 * ended (`adopt`) or is given up with it. A crash in between is told apart by the number of the published generation.
 */
import type { GenerationId } from '../../base/ids.ts';
import { type Codec, jsonValue, stringKey } from '../../store/codecs.ts';
import type { Store, Table } from '../../store/store.ts';
import type { Reaction, ReactionOutcome } from './reaction.ts';

export interface ReactionRun {
  /** Its number. */
  readonly generation: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** In the order of the list. */
  readonly outcomes: readonly (ReactionOutcome & { readonly reaction: string })[];
}

export interface WantedReactions {
  readonly reactions: readonly Reaction[];
  /** Published when the write began; 0 if none was. */
  readonly publishedBefore: GenerationId | 0;
}

export interface ReactionsRecord {
  readonly reactions: readonly Reaction[];
  /** The published generation that needs no run: there was one, or the list is younger; 0 if there is none. */
  readonly done: GenerationId | 0;
  readonly wanted?: WantedReactions;
  readonly last?: ReactionRun;
  /** Since the projection was made. */
  readonly runs: number;
  readonly failures: number;
}

export class ReactionRecords {
  readonly #store: Store;
  readonly #records: Table<string, ReactionsRecord>;

  constructor(store: Store) {
    this.#store = store;
    const codec: Codec<ReactionsRecord> = jsonValue<ReactionsRecord>();
    this.#records = store.table('reactions', stringKey, codec);
  }

  get(directory: string): ReactionsRecord | undefined {
    this.#store.refresh();
    return this.#records.get(directory);
  }

  /** Directories of every projection that has, or had, reactions. */
  directories(): string[] {
    if (this.#records.count() === 0) return [];
    return [...this.#records.range({})].map(({ key }) => key);
  }

  /** Before a write that may change the list. Says whether it would. */
  want(directory: string, reactions: readonly Reaction[], publishedBefore: GenerationId | 0): boolean {
    const record = this.get(directory);
    if (record === undefined && reactions.length === 0) return false;
    if (record !== undefined && record.wanted === undefined && isSame(record.reactions, reactions)) return false;
    this.#store.transactBuffered(() => {
      const before = record ?? { reactions: [], done: publishedBefore, runs: 0, failures: 0 };
      this.#records.put(directory, { ...before, wanted: { reactions, publishedBefore } });
    });
    return true;
  }

  /** After the write: the wanted list is the list from now on. */
  adopt(directory: string): void {
    const record = this.get(directory);
    if (record?.wanted === undefined) return;
    const { wanted, ...rest } = record;
    this.#store.transactBuffered(() => {
      if (wanted.reactions.length === 0) this.#records.remove(directory);
      else this.#records.put(directory, { ...rest, reactions: wanted.reactions });
    });
  }

  /** The write failed before anything of it was published: the list stays as it was. */
  giveUp(directory: string): void {
    const record = this.get(directory);
    if (record?.wanted === undefined) return;
    const { wanted: _, ...rest } = record;
    this.#store.transactBuffered(() => {
      if (rest.reactions.length === 0) this.#records.remove(directory);
      else this.#records.put(directory, rest);
    });
  }

  /** Notes a run. Nothing happens if the projection lost its reactions meanwhile. */
  noteRun(directory: string, done: GenerationId, run: ReactionRun): void {
    const record = this.get(directory);
    if (record === undefined) return;
    const failed = run.outcomes.some(({ succeeded }) => !succeeded) ? 1 : 0;
    const counts = { runs: record.runs + 1, failures: record.failures + failed };
    this.#store.transactBuffered(() => this.#records.put(directory, { ...record, ...counts, done, last: run }));
  }

  remove(directory: string): void {
    if (this.get(directory) === undefined) return;
    this.#store.transactBuffered(() => this.#records.remove(directory));
  }
}

/** Both come from the same reader, which names the fields in one order. */
function isSame(one: readonly Reaction[], other: readonly Reaction[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
