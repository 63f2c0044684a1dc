/**
 * What the daemon knows of allocs, kept in the store: one record for each, with its state as data.
 *
 *   creating   -> its directories and mounts are being made: a start goes on with it
 *   ready      -> everything is there
 *   restoring  -> its data is being replaced: a start finishes or undoes that
 *   moving     -> data of another alloc is being taken over: a start finishes that
 *   broken     -> something cannot be made, with the reason: a start, or applying it again, tries once more
 *   deleting   -> wanted to be gone; waits for those who still use it
 *   (no record) gone
 *
 * Every change is durable before what it announces is begun.
 */
import assert from 'node:assert/strict';
import { checkedValue, jsonValue, stringKey } from '../../store/codecs.ts';
import type { Store, Table } from '../../store/store.ts';
import type { AllocSpec } from './alloc-spec.ts';

export const ALLOC_STATES = ['creating', 'ready', 'restoring', 'moving', 'broken', 'deleting'] as const;
export type AllocState = (typeof ALLOC_STATES)[number];

const NEXT: Readonly<Record<AllocState, readonly AllocState[]>> = {
  creating: ['creating', 'ready', 'broken', 'deleting'],
  ready: ['ready', 'creating', 'restoring', 'moving', 'broken', 'deleting'],
  restoring: ['ready', 'broken', 'deleting'],
  moving: ['ready', 'broken', 'deleting'],
  broken: ['creating', 'ready', 'broken', 'deleting'],
  deleting: ['deleting'],
};

/** What was begun and never finished: it may lack modes and owners. */
export interface Building {
  /** The directory that the tasks share. */
  readonly shared: boolean;
  readonly tasks: readonly string[];
}

export interface AllocRecord {
  readonly spec: AllocSpec;
  readonly createdAtMs: number;
  readonly state: AllocState;
  /** Why it is broken. */
  readonly reason?: string;
  /** While creating. */
  readonly building?: Building;
  /** While moving: the alloc whose data is taken over, and of which tasks. */
  readonly moving?: { readonly from: string; readonly fromCreatedAtMs: number; readonly tasks: readonly string[] };
  /** The secrets of these tasks were lost with the memory they were in (a reboot, or `down`), and when that was noticed. */
  readonly secretsLost?: { readonly tasks: readonly string[]; readonly noticedAtMs: number };
}

export class AllocRecords {
  readonly #store: Store;
  readonly #rows: Table<string, AllocRecord>;
  readonly #onWrite: ((what: string) => void) | undefined;

  /** `onWrite` is called before each change. */
  constructor(store: Store, onWrite?: (what: string) => void) {
    this.#store = store;
    this.#onWrite = onWrite;
    this.#rows = store.table('allocs', stringKey, checkedValue(jsonValue<AllocRecord>(), isRecord));
  }

  /** @throws DunnageError CORRUPT if its row cannot be read */
  get(id: string): AllocRecord | undefined {
    this.#store.refresh();
    return this.#rows.get(id);
  }

  /** By id. One that cannot be read is logged and left out. */
  list(): readonly AllocRecord[] {
    this.#store.refresh();
    return [...this.#rows.range({})].map(({ value }) => value);
  }

  get count(): number {
    return this.#rows.count();
  }

  /** Resolves when the record would survive a power failure. */
  async create(record: AllocRecord): Promise<void> {
    this.#onWrite?.(`record ${record.state}`);
    await this.#store.transactDurable(() => this.#rows.put(record.spec.id, record));
  }

  /** `to` replaces the record of the same alloc. Preconditions: the alloc exists, and its turn is held. */
  async transition(to: AllocRecord): Promise<AllocRecord> {
    const from = this.get(to.spec.id);
    assert(from !== undefined && NEXT[from.state].includes(to.state), `${from?.state} does not become ${to.state}`);
    this.#onWrite?.(`record ${to.state}`);
    await this.#store.transactDurable(() => this.#rows.put(to.spec.id, to));
    return to;
  }

  async remove(id: string): Promise<void> {
    this.#onWrite?.('record gone');
    await this.#store.transactDurable(() => this.#rows.remove(id));
  }
}

function isRecord({ spec, state, createdAtMs }: AllocRecord): boolean {
  return (
    typeof spec?.id === 'string' &&
    Array.isArray(spec.tasks) &&
    ALLOC_STATES.includes(state) &&
    typeof createdAtMs === 'number'
  );
}
