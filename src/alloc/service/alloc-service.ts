/**
 * The allocs of a daemon: what is wanted is in the store (`alloc-records`), what follows from it is done here, for each alloc
 * in its turn and for different allocs side by side.
 *
 *   apply -> creating -> ready        restore -> restoring -> ready      move -> moving -> ready
 *            creating -> broken       (a start finishes or undoes each of them)
 *   delete -> deleting -> gone        waits for those who use it, over restarts too
 */

import type { Writable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Store } from '../../store/store.ts';
import type { AllocBuilder } from './alloc-builder.ts';
import { AllocDeletions } from './alloc-deletions.ts';
import { ALLOC_STATES, type AllocRecord, AllocRecords, type AllocState } from './alloc-records.ts';
import { type AllocSpec, changeOf } from './alloc-spec.ts';
import type { AllocTransfers, RestoreReport, SnapshotReport } from './alloc-transfers.ts';
import { AllocTurns } from './alloc-turns.ts';
import { type AllocView, warningsOf } from './alloc-view.ts';
import type { PresentedState } from './presented-projections.ts';

export interface AllocServiceOptions {
  readonly store: Store;
  readonly builder: AllocBuilder;
  readonly transfers: AllocTransfers;
  /** Whether a projection is there to be presented. */
  readonly exists: (projection: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Called before each record is written. */
  readonly onStep?: ((step: string) => void) | undefined;
  /** The alloc can be used from now on; called again when its tasks have changed. */
  readonly onReady?: (spec: AllocSpec) => Promise<void> | void;
  /** It is about to change as a whole, or to go. */
  readonly onLeave?: (id: string) => Promise<void> | void;
  /** Nothing of it is left. */
  readonly onGone?: (id: string) => void;
}

export type AllocAction = 'created' | 'configured' | 'unchanged';

export class AllocService {
  readonly #options: AllocServiceOptions;
  readonly #records: AllocRecords;
  readonly #turns = new AllocTurns();
  readonly #deletions: AllocDeletions;
  readonly #presented = new Map<string, readonly PresentedState[]>();
  #isClosed = false;

  constructor(options: AllocServiceOptions) {
    this.#options = options;
    this.#records = new AllocRecords(options.store, options.onStep);
    this.#deletions = new AllocDeletions({
      ...{ builder: options.builder, records: this.#records, log: options.log },
      inTurn: (id, task) => this.#turns.run([id], task),
      onDeleted: (id) => {
        this.#presented.delete(id);
        options.onGone?.(id);
      },
    });
  }

  list(): readonly AllocView[] {
    return this.#records.list().map((record) => this.#view(record));
  }

  /** How many are in each state. */
  states(): ReadonlyMap<AllocState, number> {
    const records = this.#records.list();
    return new Map(ALLOC_STATES.map((state) => [state, records.filter((record) => record.state === state).length]));
  }

  /** @throws DunnageError NOT_FOUND */
  get(id: string): AllocView {
    return this.#view(this.#known(id));
  }

  find(id: string): AllocRecord | undefined {
    return this.#records.get(id);
  }

  /**
   * Creates the alloc, or brings it to what is said now. `onlyNew` refuses one that exists. A new alloc that cannot be made leaves nothing.
   * @throws DunnageError ALREADY_EXISTS, IMMUTABLE, BUSY while it is being deleted
   */
  apply(spec: AllocSpec, onlyNew = false): Promise<AllocAction> {
    return this.#inTurnsOf(spec.id, async () => {
      await this.#options.builder.resolveUsers(spec);
      const record = this.#records.get(spec.id);
      if (record === undefined) return await this.#create(spec);
      if (record.state === 'deleting') throw this.#beingDeleted(spec.id);
      if (onlyNew) {
        throw new DunnageError('ALREADY_EXISTS', `there is an alloc ${spec.id} already`, {
          remedy: `dunnage get alloc ${spec.id} shows it; dunnage apply -f changes it`,
        });
      }
      return await this.#configure(record, spec);
    });
  }

  /** Resolves when it is gone (nothing is awaited), or with what its deletion waits for; it goes on in the background then. @throws DunnageError NOT_FOUND */
  delete(id: string): Promise<readonly string[]> {
    this.#known(id);
    const hasTurn = this.#options.transfers.breakOff(id);
    return this.#turns.run([id], async () => {
      hasTurn();
      const record = this.#known(id);
      const deleting = await this.#enter(record, 'deleting');
      return await this.#deletions.attempt(deleting);
    });
  }

  /** Gives data and local directories of one alloc to the other, whose own are empty. Tasks that only one of them has are left out. */
  async move(from: string, to: string): Promise<readonly string[]> {
    if (from === to) throw new DunnageError('INVALID_ARGUMENT', 'an alloc cannot be moved onto itself');
    return await this.#turns.run([from, to], async () => {
      const source = this.#settled(from);
      const record = this.#settled(to);
      const names = new Set(source.spec.tasks.map(({ name }) => name));
      const tasks = record.spec.tasks.map(({ name }) => name).filter((name) => names.has(name));
      for (const { spec } of [source, record]) await this.#requireUnused(spec);
      await this.#requireRoom(source, record, tasks);
      const moving = { from, fromCreatedAtMs: source.createdAtMs, tasks };
      await this.#makeOrBreak(await this.#enter(record, 'moving', { moving }));
      return tasks;
    });
  }

  /** Writes a tar of data and local directories. Others may go on using the alloc meanwhile. */
  async snapshot(id: string, output: Writable, signal?: AbortSignal): Promise<SnapshotReport> {
    const { transfers } = this.#options;
    // Begun within the turn: a move that waits for it must find the alloc busy.
    const { spec, transfer } = await this.#turns.run([id], async () => {
      const { spec } = this.#settled(id);
      return { spec, transfer: transfers.begin(id, signal) };
    });
    try {
      return await transfers.snapshot(spec, output, transfer.signal);
    } finally {
      transfer.end();
    }
  }

  /** Replaces data and local directories by those of a tar: all of it, or nothing. */
  restore(id: string, input: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<RestoreReport> {
    return this.#turns.run([id], async () => {
      const record = this.#settled(id);
      await this.#requireUnused(record.spec);
      const { builder, transfers } = this.#options;
      const restoring = await this.#enter(record, 'restoring');
      const transfer = transfers.begin(id, signal);
      try {
        await builder.withdraw(record.spec);
        return await transfers.restore(record.spec, input, transfer.signal);
      } finally {
        transfer.end();
        await this.#makeOrBreak(restoring);
      }
    });
  }

  /** A projection was made, deleted or published: those who present it follow. */
  projectionChanged(name: string): void {
    const isThere = this.#options.exists(name);
    for (const [id, states] of this.#presented) {
      // A swap shows through the mount by itself.
      if (states.every((one) => one.name !== name || one.presented === isThere)) continue;
      this.#inBackground(id, () => this.#presentAgain(id));
    }
  }

  /** At the start: every alloc as its record says, each by itself. One that cannot be is broken, and says why. */
  async recover(): Promise<void> {
    const each = this.#records.list().map(({ spec: { id } }) => this.#inTurnsOf(id, () => this.#recoverOne(id)));
    await Promise.all(each);
  }

  /** Sentences for the status of the daemon. */
  warnings(): readonly string[] {
    return this.list().flatMap(warningsOf);
  }

  /** Nothing new is begun; what runs is ended by the builder's signal. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#deletions.close();
    this.#options.transfers.close();
    await this.#turns.settled();
    for (const id of this.#presented.keys()) await this.#options.onLeave?.(id);
  }

  async #create(spec: AllocSpec): Promise<AllocAction> {
    const building = { shared: true, tasks: spec.tasks.map(({ name }) => name) };
    const record: AllocRecord = { spec, state: 'creating', createdAtMs: this.#options.clock.nowMs(), building };
    await this.#records.create(record);
    try {
      await this.#make(record);
    } catch (error) {
      await this.#undoCreate(record);
      throw error;
    }
    return 'created';
  }

  /** What cannot be removed either is deleted in the background. */
  async #undoCreate(record: AllocRecord): Promise<void> {
    // The daemon ends: the next one goes on with it.
    if (this.#isClosed) return;
    await this.#deletions.attempt(await this.#enter(record, 'deleting'));
  }

  async #configure(record: AllocRecord, spec: AllocSpec): Promise<AllocAction> {
    const change = changeOf(record.spec, spec);
    if (change === undefined && record.state === 'ready') {
      if (record.secretsLost === undefined) return 'unchanged';
      // Whoever applies it again has provided for its secrets again.
      await this.#records.transition(bare(record, 'ready'));
      return 'configured';
    }
    const replaced = record.spec.tasks.filter(({ name }) => change?.presented.some((task) => task.name === name));
    await this.#options.builder.withdraw(record.spec, replaced);
    const { shared = false, tasks = [] } = record.building ?? {};
    const building = { shared, tasks: [...tasks, ...(change?.added ?? []).map(({ name }) => name)] };
    const { moving } = record;
    const creating = { ...bare(record, 'creating'), spec, building, ...(moving && { moving }) };
    await this.#makeOrBreak(await this.#records.transition(creating));
    return 'configured';
  }

  async #recoverOne(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined || this.#isClosed) return;
    if (record.state === 'deleting') await this.#deletions.attempt(record);
    else await this.#makeOrBreak(record).catch(() => undefined);
  }

  /** @throws what it is broken by */
  async #makeOrBreak(record: AllocRecord): Promise<void> {
    try {
      await this.#make(record);
    } catch (error) {
      await this.#break(record, error);
      throw error;
    }
  }

  /** Brings the alloc from whatever state it is in to `ready`. */
  async #make(record: AllocRecord): Promise<void> {
    const { builder, transfers, clock } = this.#options;
    await this.#options.onLeave?.(record.spec.id);
    await transfers.mend(record.spec);
    await this.#finishMove(record);
    const lost = await builder.make(record.spec, record.building);
    const tasks = [...new Set([...(record.secretsLost?.tasks ?? []), ...lost])];
    const secretsLost = lost.length === 0 ? record.secretsLost : { tasks, noticedAtMs: clock.nowMs() };
    await this.#settle({ ...bare(record, 'ready'), ...(secretsLost && { secretsLost }) });
  }

  /** A move that is refused changes nothing: what was withdrawn to look is presented again. */
  async #requireRoom(source: AllocRecord, target: AllocRecord, tasks: readonly string[]): Promise<void> {
    const { builder } = this.#options;
    try {
      for (const { spec } of [source, target]) await builder.withdraw(spec);
      await builder.requireRoom(source.spec, target.spec, tasks);
    } catch (error) {
      for (const { spec } of [source, target]) await this.#presentAgain(spec.id);
      throw error;
    }
  }

  /** Preconditions: both turns are held. */
  async #finishMove({ spec, moving }: AllocRecord): Promise<void> {
    if (moving === undefined) return;
    const { builder } = this.#options;
    const source = this.#records.get(moving.from);
    // Another one of that name has nothing to give.
    if (source?.createdAtMs !== moving.fromCreatedAtMs) return;
    try {
      for (const one of [source.spec, spec]) await builder.withdraw(one);
      await builder.move(source.spec, spec, moving.tasks);
    } finally {
      // What was moved away is there again, empty. Its own trouble is not the target's.
      if (source.state === 'ready') await this.#make(source).catch((error: unknown) => this.#break(source, error));
    }
  }

  /** Everything of it is there. */
  async #settle(ready: AllocRecord): Promise<void> {
    const { builder, onReady } = this.#options;
    this.#presented.set(ready.spec.id, await builder.present(ready.spec));
    const before = this.#records.get(ready.spec.id);
    if (JSON.stringify(before) !== JSON.stringify(ready)) await this.#records.transition(ready);
    await onReady?.(ready.spec);
  }

  async #break(record: AllocRecord, error: unknown): Promise<void> {
    // What was cut off by the end of the daemon is not broken.
    if (this.#isClosed) return;
    const { spec, moving, secretsLost, building } = record;
    const reason = error instanceof DunnageError ? error.message : String(error);
    this.#options.log.error({ alloc: spec.id, reason }, 'an alloc is broken');
    const kept = { ...(moving && { moving }), ...(secretsLost && { secretsLost }), ...(building && { building }) };
    await this.#records.transition({ ...bare(record, 'broken'), reason, ...kept });
  }

  async #presentAgain(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record?.state !== 'ready' || this.#isClosed) return;
    this.#presented.set(id, await this.#options.builder.present(record.spec));
  }

  /** Before the work of that state is begun. */
  async #enter(
    record: AllocRecord,
    state: AllocRecord['state'],
    more: Pick<AllocRecord, 'moving'> = {},
  ): Promise<AllocRecord> {
    await this.#options.onLeave?.(record.spec.id);
    const { secretsLost } = record;
    return await this.#records.transition({ ...bare(record, state), ...(secretsLost && { secretsLost }), ...more });
  }

  async #requireUnused(spec: AllocSpec): Promise<void> {
    const { builder, transfers } = this.#options;
    if (transfers.isBusy(spec.id)) {
      throw new DunnageError('BUSY', `a snapshot of the alloc ${spec.id} is being taken`, {
        remedy: 'wait until it is done',
      });
    }
    const users = await builder.users(spec.id, spec.tasks);
    if (users.length === 0) return;
    throw new DunnageError('BUSY', `the alloc ${spec.id} is in use: ${users.join('; ')}`, {
      remedy: 'end its tasks first: their directories would be replaced under them',
    });
  }

  #known(id: string): AllocRecord {
    const record = this.#records.get(id);
    if (record !== undefined) return record;
    throw new DunnageError('NOT_FOUND', `there is no alloc ${id}`, { remedy: 'dunnage alloc list shows all' });
  }

  /** @throws DunnageError NOT_FOUND, BUSY unless it is ready */
  #settled(id: string): AllocRecord {
    const record = this.#known(id);
    if (record.state === 'ready') return record;
    if (record.state === 'deleting') throw this.#beingDeleted(id);
    const reason = record.reason === undefined ? '' : `: ${record.reason}`;
    throw new DunnageError('BUSY', `the alloc ${id} is ${record.state}${reason}`, {
      remedy: 'apply its manifest again to have it mended',
    });
  }

  #beingDeleted(id: string): DunnageError {
    const awaiting = this.#deletions.awaited(id);
    const who = awaiting.length === 0 ? '' : `, and waits: ${awaiting.join('; ')}`;
    return new DunnageError('BUSY', `the alloc ${id} is being deleted${who}`, { remedy: 'try again when it is gone' });
  }

  /** The turn of the alloc, and that of the one whose data it is taking over, if it is. */
  async #inTurnsOf<T>(id: string, task: () => Promise<T>): Promise<T> {
    for (;;) {
      const from = this.#records.get(id)?.moving?.from;
      const outcome = await this.#turns.run(from === undefined ? [id] : [id, from], async () => {
        const now = this.#records.get(id)?.moving?.from;
        return now === undefined || now === from ? { result: await task() } : undefined;
      });
      if (outcome !== undefined) return outcome.result;
    }
  }

  #inBackground(id: string, task: () => Promise<void>): void {
    this.#turns.run([id], task).catch((error: unknown) => {
      this.#options.log.error({ alloc: id, error: String(error) }, 'an alloc could not follow a change');
    });
  }

  #view(record: AllocRecord): AllocView {
    const { id } = record.spec;
    return { ...record, presented: this.#presented.get(id) ?? [], awaiting: this.#deletions.awaited(id) };
  }
}

function bare({ spec, createdAtMs }: AllocRecord, state: AllocRecord['state']): AllocRecord {
  return { spec, createdAtMs, state };
}
