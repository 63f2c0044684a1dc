/** Hands out node ids. The counter is persisted with the transaction that uses them, so an id is never used twice. */
import assert from 'node:assert/strict';
import { type NodeId, ROOT_NODE_ID } from '../base/ids.ts';
import { jsonValue, stringKey } from './codecs.ts';
import type { Store } from './store.ts';
import type { Table } from './table.ts';

const KEY = 'next-node-id';

export class NodeIdCounter {
  readonly #counters: Table<string, number>;

  constructor(store: Store) {
    this.#counters = store.table('counters', stringKey, jsonValue<number>());
  }

  /** The first of `count` consecutive ids. Preconditions: in a transaction. If it aborts, the ids are free again. */
  reserve(count: number): NodeId {
    assert(Number.isSafeInteger(count) && count > 0, 'reserve at least one id');
    const first = this.#counters.get(KEY) ?? ROOT_NODE_ID + 1;
    const next = first + count;
    assert(Number.isSafeInteger(next), 'node ids are used up');
    this.#counters.put(KEY, next);
    return first as NodeId;
  }
}
