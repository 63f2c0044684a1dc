/**
 * When the sources of a projection were last read, all of them and successfully: until then its content is known to be
 * theirs. In the shared store, so that the FUSE thread can tell.
 */
import { jsonValue, stringKey } from '../../store/codecs.ts';
import type { Store, Table } from '../../store/store.ts';

export interface SeenRecord {
  readonly seenAtMs: number;
  /** Fingerprint of what they gave, as it was published. */
  readonly fingerprint: string;
}

export class SourceSeen {
  readonly #store: Store;
  readonly #rows: Table<string, SeenRecord>;

  constructor(store: Store) {
    this.#store = store;
    this.#rows = store.table('source-seen', stringKey, jsonValue<SeenRecord>());
  }

  get(directory: string): SeenRecord | undefined {
    return this.#rows.get(directory);
  }

  put(directory: string, record: SeenRecord): void {
    this.#store.transactBuffered(() => this.#rows.put(directory, record));
  }

  remove(directory: string): void {
    this.#store.transactBuffered(() => this.#rows.remove(directory));
  }
}

/**
 * Milliseconds since the epoch; undefined for a projection without sources, whose content was given by its last write. `store`
 * is that of any thread. For one lookup among many make a `SourceSeen` once.
 */
export function sourceSeenAtMs(seen: SourceSeen, directory: string): number | undefined {
  return seen.get(directory)?.seenAtMs;
}
