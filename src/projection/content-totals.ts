/** How much content generations show, against how much is stored: for figures. Reads a lot, so it gives way in between. */
import { jsonValue, numberKey } from '../store/codecs.ts';
import type { Store, Table } from '../store/store.ts';
import type { GenerationRecord } from './records.ts';

/** Records read before other work gets a turn. */
const BATCH = 1000;

export interface ContentTotals {
  readonly generations: number;
  /** Bytes of all files of all generations, as if nothing were shared. */
  readonly sizeBytes: number;
}

export class ContentCounter {
  readonly #store: Store;
  readonly #generations: Table<number, GenerationRecord>;

  constructor(store: Store) {
    this.#store = store;
    this.#generations = store.table('generations', numberKey, jsonValue<GenerationRecord>());
  }

  /** Of every generation that is there: published, kept, and replaced ones that somebody still holds. */
  async totals(): Promise<ContentTotals> {
    let generations = 0;
    let sizeBytes = 0;
    let start = 0;
    for (;;) {
      this.#store.refresh();
      const batch = [...this.#generations.range({ start, limit: BATCH })];
      for (const { value } of batch) sizeBytes += value.sizeBytes;
      generations += batch.length;
      const last = batch.at(-1);
      if (last === undefined || batch.length < BATCH) return { generations, sizeBytes };
      start = last.key + 1;
      await new Promise(setImmediate);
    }
  }
}
