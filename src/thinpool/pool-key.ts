/** Keys of the tables that all pools share: the pool's name, then a text. Sorted by pool, then by text. */
import assert from 'node:assert/strict';
import type { Codec } from '../store/codecs.ts';
import { stringKey } from '../store/codecs.ts';

export type PoolKey = readonly [pool: string, text: string];

const SEPARATOR = '\0';
const AFTER_SEPARATOR = '\u0001';

export const poolKey: Codec<PoolKey> = {
  encode([pool, text]) {
    assert(!pool.includes(SEPARATOR) && !text.includes(SEPARATOR), 'names have no NUL');
    return stringKey.encode(pool + SEPARATOR + text);
  },
  decode(bytes) {
    const [pool, text, ...more] = stringKey.decode(bytes).split(SEPARATOR);
    if (pool === undefined || text === undefined || more.length > 0) throw new TypeError('not a key of a pool');
    return [pool, text];
  },
};

/** All rows of a pool, for `Table.range`. The end is a key that no pool can have. */
export function rowsOf(pool: string): { readonly start: PoolKey; readonly end: PoolKey } {
  return { start: [pool, ''], end: [pool + AFTER_SEPARATOR, ''] };
}
