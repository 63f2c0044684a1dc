/** A typed table of the environment: one LMDB database with a codec for its keys and one for its values. */
import assert from 'node:assert/strict';
import type { Database } from 'lmdb';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Codec } from './codecs.ts';
import { fromLmdbError } from './lmdb-error.ts';

export interface RangeOptions<K> {
  /** First key (inclusive). In reverse: the upper bound, inclusive. */
  readonly start?: K;
  /** Exclusive. In reverse: the lower bound, exclusive. */
  readonly end?: K;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface Table<K, V> {
  /** Throws CORRUPT if the row cannot be read. */
  get(key: K): V | undefined;
  /** Preconditions: inside a transaction. */
  put(key: K, value: V): void;
  /** Preconditions: inside a transaction. Returns whether the key existed. */
  remove(key: K): boolean;
  /**
   * Lazy: read it to the end, or leave the loop, before the next await. A row that cannot be read is logged and left out:
   * one broken object must not take the others along.
   */
  range(options: RangeOptions<K>): IterableIterator<{ key: K; value: V }>;
  count(): number;
}

/** LMDB's limit for 4 KiB pages. */
const KEY_BYTES_MAX = 1978;

export type BinaryDatabase = Database<Buffer, Uint8Array>;

/** What a table is told by its store. */
export interface TableContext {
  readonly name: string;
  readonly inTransaction: () => boolean;
  readonly onBroken: (table: string, key: Uint8Array, reason: unknown) => void;
}

export class LmdbTable<K, V> implements Table<K, V> {
  readonly #database: BinaryDatabase | undefined;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #context: TableContext;

  /** `database` is undefined for a table that a read-only store does not have: it is empty. */
  constructor(database: BinaryDatabase | undefined, key: Codec<K>, value: Codec<V>, context: TableContext) {
    this.#database = database;
    this.#key = key;
    this.#value = value;
    this.#context = context;
  }

  get(key: K): V | undefined {
    const bytes = this.#database?.get(this.#encodeKey(key));
    if (bytes === undefined) return undefined;
    try {
      return this.#value.decode(bytes);
    } catch (cause) {
      throw brokenRow(this.#context.name, cause);
    }
  }

  put(key: K, value: V): void {
    assert(this.#context.inTransaction() && this.#database !== undefined, 'put needs a transaction');
    try {
      this.#database.putSync(this.#encodeKey(key), this.#value.encode(value) as Buffer);
    } catch (error) {
      throw fromLmdbError(error, 'cannot write metadata');
    }
  }

  remove(key: K): boolean {
    assert(this.#context.inTransaction() && this.#database !== undefined, 'remove needs a transaction');
    try {
      return this.#database.removeSync(this.#encodeKey(key));
    } catch (error) {
      throw fromLmdbError(error, 'cannot remove metadata');
    }
  }

  *range(options: RangeOptions<K>): IterableIterator<{ key: K; value: V }> {
    const { start, end, reverse, limit } = options;
    if (limit === 0 || this.#database === undefined) return;
    const entries = this.#database.getRange({
      ...(start === undefined ? {} : { start: this.#encodeKey(start) }),
      ...(end === undefined ? {} : { end: this.#encodeKey(end) }),
      ...(reverse === undefined ? {} : { reverse }),
      ...(limit === undefined ? {} : { limit }),
    });
    for (const { key, value } of entries) {
      const row = this.#decode(key, value);
      if (row !== undefined) yield row;
    }
  }

  count(): number {
    // Unlike getCount this reads one number instead of walking the tree.
    if (this.#database === undefined) return 0;
    return (this.#database.getStats() as { entryCount: number }).entryCount;
  }

  #decode(key: Uint8Array, value: Uint8Array): { key: K; value: V } | undefined {
    try {
      return { key: this.#key.decode(key), value: this.#value.decode(value) };
    } catch (reason) {
      this.#context.onBroken(this.#context.name, key, reason);
      return undefined;
    }
  }

  #encodeKey(key: K): Uint8Array {
    const bytes = this.#key.encode(key);
    assert(bytes.length > 0, 'a key must not be empty');
    if (bytes.length > KEY_BYTES_MAX) {
      throw new DunnageError('NAME_TOO_LONG', `a key of ${bytes.length} bytes is longer than ${KEY_BYTES_MAX}`);
    }
    return bytes;
  }
}

function brokenRow(table: string, cause: unknown): DunnageError {
  return new DunnageError('CORRUPT', `a row of the metadata (${table}) cannot be read`, {
    remedy: 'Run: dunnage fsck. What it finds here is mended by: dunnage down, then dunnage fsck --repair',
    cause,
  });
}
