/** A table of the store read as a check must read it: a row that cannot be decoded is told of instead of thrown at. */
import { bytesValue, type Codec } from '../codecs.ts';
import type { Store } from '../store.ts';
import type { Table } from '../table.ts';

export interface Row<K, V> {
  /** Also good for rows whose key means nothing. */
  readonly rawKey: Uint8Array;
  readonly key: K | undefined;
  /** Undefined if it, or the key, cannot be read. */
  readonly value: V | undefined;
}

export type Lookup<V> =
  | { readonly state: 'absent' }
  | { readonly state: 'unreadable' }
  | { readonly state: 'present'; readonly value: V };

export interface TolerantOptions<K, V> {
  readonly name: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** Whether what was decoded is what it should be; JSON decodes to anything. */
  readonly accept?: (value: V) => boolean;
}

export class TolerantTable<K, V> {
  readonly name: string;
  readonly #raw: Table<Uint8Array, Uint8Array>;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #accept: (value: V) => boolean;

  /** Preconditions: not in a transaction. */
  constructor(store: Store, options: TolerantOptions<K, V>) {
    this.name = options.name;
    this.#raw = store.table(options.name, bytesValue, bytesValue);
    this.#key = options.key;
    this.#value = options.value;
    this.#accept = options.accept ?? (() => true);
  }

  /** Every row. Lazy: read it to the end before the next await. */
  *rows(): IterableIterator<Row<K, V>> {
    for (const { key: rawKey, value } of this.#raw.range({})) {
      const key = attempt(() => this.#key.decode(rawKey));
      yield { rawKey, key, value: key === undefined ? undefined : this.#decode(value) };
    }
  }

  /** Rows after a key (from the first one if undefined), at most `limit`. */
  after(key: K | undefined, limit: number): readonly Row<K, V>[] {
    const found: Row<K, V>[] = [];
    const start = key === undefined ? undefined : Buffer.concat([this.#key.encode(key), Buffer.of(0)]);
    for (const { key: rawKey, value } of this.#raw.range({ ...(start === undefined ? {} : { start }), limit })) {
      const decoded = attempt(() => this.#key.decode(rawKey));
      found.push({ rawKey, key: decoded, value: decoded === undefined ? undefined : this.#decode(value) });
    }
    return found;
  }

  look(key: K): Lookup<V> {
    const bytes = this.#raw.get(this.#key.encode(key));
    if (bytes === undefined) return { state: 'absent' };
    const value = this.#decode(bytes);
    return value === undefined ? { state: 'unreadable' } : { state: 'present', value };
  }

  /** The value; undefined if there is none or it cannot be read. */
  get(key: K): V | undefined {
    const found = this.look(key);
    return found.state === 'present' ? found.value : undefined;
  }

  has(key: K): boolean {
    return this.#raw.get(this.#key.encode(key)) !== undefined;
  }

  count(): number {
    return this.#raw.count();
  }

  /** Preconditions: in a transaction. */
  put(key: K, value: V): void {
    this.#raw.put(this.#key.encode(key), this.#value.encode(value));
  }

  /** Preconditions: in a transaction. */
  remove(key: K): boolean {
    return this.#raw.remove(this.#key.encode(key));
  }

  /** Preconditions: in a transaction. */
  removeRaw(rawKey: Uint8Array): boolean {
    return this.#raw.remove(rawKey);
  }

  #decode(bytes: Uint8Array): V | undefined {
    const value = attempt(() => this.#value.decode(bytes));
    return value !== undefined && this.#accept(value) ? value : undefined;
  }
}

/** A codec that throws has met bytes that nobody encoded: that is the finding, whatever it says about them. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
