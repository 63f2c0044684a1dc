/**
 * What the daemon knows of pools, kept in the store: one record for each, with its state as data.
 *
 *   creating  -> it is being made, or brought to what its manifest says now: a start goes on with it
 *   ready     -> in service
 *   broken    -> it cannot be put into service, with the reason: a start, a repair, or applying it again tries once more
 *   deleting  -> wanted to be gone, with its devices; a start goes on with it
 *   (no record) gone
 *
 * Every change is durable before what it announces is begun.
 */
import assert from 'node:assert/strict';
import { checkedValue, jsonValue, stringKey } from '../../store/codecs.ts';
import type { Store, Table } from '../../store/store.ts';
import type { PoolSpec } from '../pool-spec.ts';

export const POOL_STATES = ['creating', 'ready', 'broken', 'deleting'] as const;
export type PoolState = (typeof POOL_STATES)[number];

const NEXT: Readonly<Record<PoolState, readonly PoolState[]>> = {
  creating: ['creating', 'ready', 'broken', 'deleting'],
  ready: ['ready', 'creating', 'broken', 'deleting'],
  broken: ['creating', 'ready', 'broken', 'deleting'],
  // Refused because somebody uses a device: as it was.
  deleting: ['deleting', 'ready', 'broken'],
};

export interface PoolRecord {
  readonly spec: PoolSpec;
  readonly createdAtMs: number;
  readonly state: PoolState;
  /** Why it is broken; of one that is being deleted, why it is not gone yet. */
  readonly reason?: string;
  /** Nothing of it was there when it was asked for, and it was never whole: what is found of it may be made, or taken away. */
  readonly isNew?: boolean;
}

export class PoolRecords {
  readonly #store: Store;
  readonly #rows: Table<string, PoolRecord>;
  readonly #onWrite: ((what: string) => void) | undefined;

  /** `onWrite` is called before each change. */
  constructor(store: Store, onWrite?: (what: string) => void) {
    this.#store = store;
    this.#onWrite = onWrite;
    this.#rows = store.table('pools', stringKey, checkedValue(jsonValue<PoolRecord>(), isRecord));
  }

  /** @throws DunnageError CORRUPT if its row cannot be read */
  get(name: string): PoolRecord | undefined {
    this.#store.refresh();
    return this.#rows.get(name);
  }

  /** By name. One that cannot be read is logged and left out. */
  list(): readonly PoolRecord[] {
    this.#store.refresh();
    return [...this.#rows.range({})].map(({ value }) => value);
  }

  /** Resolves when the record would survive a power failure. */
  async create(record: PoolRecord): Promise<PoolRecord> {
    this.#onWrite?.(`record ${record.state}`);
    await this.#store.transactDurable(() => this.#rows.put(record.spec.name, record));
    return record;
  }

  /** `to` replaces the record of the same pool. Preconditions: the pool exists, and nobody else works on it. */
  async transition(to: PoolRecord): Promise<PoolRecord> {
    const from = this.get(to.spec.name);
    assert(from !== undefined && NEXT[from.state].includes(to.state), `${from?.state} does not become ${to.state}`);
    this.#onWrite?.(`record ${to.state}`);
    await this.#store.transactDurable(() => this.#rows.put(to.spec.name, to));
    return to;
  }

  /** With what is known of its devices, in one commit. */
  async remove(name: string, removeDevices: () => void): Promise<void> {
    this.#onWrite?.('record gone');
    await this.#store.transactDurable(() => {
      removeDevices();
      this.#rows.remove(name);
    });
  }
}

function isRecord({ spec, state, createdAtMs }: PoolRecord): boolean {
  return (
    typeof spec?.name === 'string' &&
    typeof spec.place?.kind === 'string' &&
    POOL_STATES.includes(state) &&
    typeof createdAtMs === 'number'
  );
}
