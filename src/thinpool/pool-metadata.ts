/**
 * What is known of the thin devices of one pool: their records, which ids are in use, and the number of the last change.
 *
 *   thinpool-devices  [pool, name] -> record
 *   thinpool-ids      [pool, id in decimal] -> {state}: 'free' (was used, may be used again) or 'faulty' (set aside, see below)
 *   thinpool-pools    pool -> {next_id, transaction_id}
 *
 * An id below `next_id` that is in no row of thinpool-ids belongs to a device. An id is set aside when its device is Faulty, or when the
 * pool has a device of that id that nobody here knows: it is not given out until a repair has looked at it. No id is lost for good.
 *
 * Methods that write are one transaction. Those that return a promise resolve when it is on disk; the `...Buffered` ones survive the
 * death of the process at once and a power failure a little later.
 */
import assert from 'node:assert/strict';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type Codec, checkedValue, jsonValue, stringKey } from '../store/codecs.ts';
import { Store, type Table } from '../store/store.ts';
import { type DeviceInfo, deviceInfoCodec, type NewDevice } from './device-info.ts';
import { type DeviceState, isDeviceState } from './device-states.ts';
import { DEVICE_ID_MAX } from './driver.ts';
import { type PoolKey, poolKey, rowsOf } from './pool-key.ts';

interface IdRow {
  readonly state: 'free' | 'faulty';
  /** The state of the device before it was Faulty: where a repair begins. */
  readonly was?: DeviceState;
}

interface PoolRow {
  readonly next_id: number;
  readonly transaction_id: number;
  /** Milliseconds since the epoch. */
  readonly trimmed_at?: number;
}

/** What `updateDevice` may change. */
export type DeviceDraft = { -readonly [Key in keyof DeviceInfo]: DeviceInfo[Key] };

const idRowCodec: Codec<IdRow> = checkedValue(
  jsonValue<IdRow>(),
  ({ state, was }) => (state === 'free' || state === 'faulty') && (was === undefined || isDeviceState(was)),
);
const poolRowCodec: Codec<PoolRow> = checkedValue(
  jsonValue<PoolRow>(),
  (row) => Number.isSafeInteger(row.next_id) && Number.isSafeInteger(row.transaction_id),
);
const NEW_POOL: PoolRow = { next_id: 1, transaction_id: 0 };

export interface PoolMetadataOptions {
  readonly stateDir: string;
  readonly pool: string;
  readonly log: Log;
}

export class PoolMetadata {
  readonly pool: string;
  readonly #store: Store;
  readonly #devices: Table<PoolKey, DeviceInfo>;
  readonly #ids: Table<PoolKey, IdRow>;
  readonly #pools: Table<string, PoolRow>;
  /** Counted once, then kept; nobody else writes these records. */
  #promisedBytes: number | undefined;
  #ownsStore = false;

  constructor(store: Store, pool: string) {
    this.pool = pool;
    this.#store = store;
    this.#devices = store.table('thinpool-devices', poolKey, deviceInfoCodec);
    this.#ids = store.table('thinpool-ids', poolKey, idRowCodec);
    this.#pools = store.table('thinpool-pools', stringKey, poolRowCodec);
  }

  /** Creates or opens the metadata of a directory that no daemon serves. Throws what `Store.open` throws. */
  static open(options: PoolMetadataOptions): PoolMetadata {
    const metadata = new PoolMetadata(Store.open({ stateDir: options.stateDir, log: options.log }), options.pool);
    metadata.#ownsStore = true;
    return metadata;
  }

  /** Calling it again is fine. A store that was given to the constructor stays open. */
  async close(): Promise<void> {
    if (this.#ownsStore) await this.#store.close();
  }

  /**
   * Writes a new device down and gives it an id: one that was freed if there is one (in the order of their decimal digits), else the
   * next. The record of a Faulty device of that name is replaced; its id stays set aside.
   * Throws INVALID_ARGUMENT (no name), ALREADY_EXISTS (`object already exists`), NO_SPACE (`dm-meta: couldn't find free device key`).
   */
  async addDevice(device: NewDevice): Promise<DeviceInfo> {
    return await this.#store.transactDurable(() => this.#add(device));
  }

  /** The same with a number for this change of the pool, see `transaction`. */
  async addDeviceNumbered(device: NewDevice): Promise<{ info: DeviceInfo; transaction: number }> {
    return await this.#store.transactDurable(() => ({ info: this.#add(device), transaction: this.#nextTransaction() }));
  }

  /** Throws NOT_FOUND (`not found`). */
  getDevice(name: string): DeviceInfo {
    const info = this.findDevice(name);
    if (info === undefined) throw notFound(this.pool, name);
    return info;
  }

  findDevice(name: string): DeviceInfo | undefined {
    return name === '' ? undefined : this.#devices.get([this.pool, name]);
  }

  /** In the order of their names. */
  getDeviceNames(): readonly string[] {
    return [...this.walkDevices()].map(({ name }) => name);
  }

  /** In the order of their names. Read it to the end, or leave the loop, before the next await. */
  *walkDevices(): IterableIterator<DeviceInfo> {
    for (const { value } of this.#devices.range(rowsOf(this.pool))) yield value;
  }

  /**
   * `change` gets the record and alters it. If it throws, or touches name or id (INVALID_ARGUMENT), nothing is kept.
   * Throws NOT_FOUND.
   */
  async updateDevice(name: string, change: (draft: DeviceDraft) => void): Promise<DeviceInfo> {
    return await this.#store.transactDurable(() => this.#update(name, change));
  }

  updateDeviceBuffered(name: string, change: (draft: DeviceDraft) => void): DeviceInfo {
    return this.#store.transactBuffered(() => this.#update(name, change));
  }

  async changeDeviceState(name: string, state: DeviceState): Promise<DeviceInfo> {
    return await this.updateDevice(name, (draft) => {
      draft.state = state;
    });
  }

  /** The same with a number for this change of the pool. */
  async changeDeviceStateNumbered(
    name: string,
    state: DeviceState,
  ): Promise<{ info: DeviceInfo; transaction: number }> {
    const change = (draft: DeviceDraft): void => {
      draft.state = state;
    };
    return await this.#store.transactDurable(() => ({
      info: this.#update(name, change),
      transaction: this.#nextTransaction(),
    }));
  }

  /**
   * The device keeps its record and its id, which is set aside. `was` is the state that a repair begins with: the present one, if
   * nothing else is said. Throws NOT_FOUND.
   */
  async markFaulty(name: string, error: string, was?: DeviceState): Promise<DeviceInfo> {
    return await this.#store.transactDurable(() => {
      const before = this.getDevice(name);
      const from = was ?? (before.state === 'Faulty' ? this.faultyFrom(name) : before.state);
      const info = this.#update(name, (draft) => {
        draft.state = 'Faulty';
        draft.error = error;
      });
      this.#ids.put(this.#idKey(info.deviceId), { state: 'faulty', was: from });
      return info;
    });
  }

  /** The state of a Faulty device before it was that. Throws NOT_FOUND. */
  faultyFrom(name: string): DeviceState {
    // Without a note all that is known is that it is not in use.
    return this.#ids.get(this.#idKey(this.getDevice(name).deviceId))?.was ?? 'Deactivated';
  }

  /** A Faulty device that turned out to be whole: its id is in use again. Throws NOT_FOUND. */
  async markRepaired(name: string, state: DeviceState): Promise<DeviceInfo> {
    return await this.#store.transactDurable(() => {
      const info = this.#update(name, (draft) => {
        draft.state = state;
        draft.error = '';
      });
      this.#ids.remove(this.#idKey(info.deviceId));
      return info;
    });
  }

  /** The record goes and the id is free. Throws NOT_FOUND. */
  async removeDevice(name: string): Promise<void> {
    await this.#store.transactDurable(() => this.#remove(name));
  }

  removeDeviceBuffered(name: string): void {
    this.#store.transactBuffered(() => this.#remove(name));
  }

  /** Gives the device another id, because the pool has a device of its own id that is not ours; that id is set aside. */
  async replaceId(name: string): Promise<DeviceInfo> {
    return await this.#store.transactDurable(() => {
      this.#ids.put(this.#idKey(this.getDevice(name).deviceId), { state: 'faulty' });
      const info = { ...this.getDevice(name), deviceId: this.#takeId() };
      this.#devices.put([this.pool, name], info);
      return info;
    });
  }

  /** Ids that are not given out, because the pool has something there that no record explains. */
  async setIdsAside(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#store.transactDurable(() => {
      for (const id of ids) this.#ids.put(this.#idKey(id), { state: 'faulty' });
    });
  }

  /** An id that was set aside may be given out again. Preconditions: the pool has no device of it, and no record names it. */
  async freeId(id: number): Promise<void> {
    await this.#store.transactDurable(() => {
      assert.equal(this.#ids.get(this.#idKey(id))?.state, 'faulty');
      this.#release(id);
    });
  }

  /** In no particular order. */
  idsSetAside(): readonly number[] {
    return [...this.#ids.range(rowsOf(this.pool))]
      .filter(({ value }) => value.state === 'faulty')
      .map(({ key }) => Number(key[1]));
  }

  /** Sum of the sizes of all devices, Faulty ones included. */
  get promisedBytes(): number {
    if (this.#promisedBytes === undefined) {
      this.#promisedBytes = 0;
      for (const { sizeBytes } of this.walkDevices()) this.#promisedBytes += sizeBytes;
    }
    return this.#promisedBytes;
  }

  /** How many changes of the pool (new devices, removals) were begun. The pool itself has this number too, see `transaction-clock.ts`. */
  get transaction(): number {
    return this.#row().transaction_id;
  }

  async setTransaction(transaction: number): Promise<void> {
    await this.#store.transactDurable(() => {
      this.#pools.put(this.pool, { ...this.#row(), transaction_id: transaction });
    });
  }

  /** Nothing is known of the pool any more. Preconditions: inside a transaction. */
  removeAll(): void {
    for (const { key } of [...this.#devices.range(rowsOf(this.pool))]) this.#devices.remove(key);
    for (const { key } of [...this.#ids.range(rowsOf(this.pool))]) this.#ids.remove(key);
    this.#pools.remove(this.pool);
  }

  /** When what file systems on the devices do not use was last given back; undefined if never. Milliseconds since the epoch. */
  get trimmedAtMs(): number | undefined {
    return this.#row().trimmed_at;
  }

  setTrimmedAtMsBuffered(trimmedAtMs: number): void {
    this.#store.transactBuffered(() => {
      this.#pools.put(this.pool, { ...this.#row(), trimmed_at: trimmedAtMs });
    });
  }

  #add(device: NewDevice): DeviceInfo {
    const { name, sizeBytes, parentName = '', state = 'Unknown' } = device;
    if (name === '') throw new DunnageError('INVALID_ARGUMENT', 'a thin device needs a name');
    const there = this.findDevice(name);
    if (there !== undefined && there.state !== 'Faulty') {
      throw new DunnageError('ALREADY_EXISTS', `thin device ${name} of pool ${this.pool}: object already exists`);
    }
    const info = { name, deviceId: this.#takeId(), sizeBytes, parentName, state, error: '' };
    this.#devices.put([this.pool, name], info);
    this.#promise(sizeBytes - (there?.sizeBytes ?? 0));
    return info;
  }

  /** Preconditions: in the transaction that changes sizes by so much. */
  #promise(changeBytes: number): void {
    if (changeBytes === 0) return;
    this.#store.afterCommit(() => {
      if (this.#promisedBytes !== undefined) this.#promisedBytes += changeBytes;
    });
  }

  #update(name: string, change: (draft: DeviceDraft) => void): DeviceInfo {
    const before = this.getDevice(name);
    const draft: DeviceDraft = { ...before };
    change(draft);
    if (draft.name !== before.name || draft.deviceId !== before.deviceId) {
      throw new DunnageError('INVALID_ARGUMENT', `thin device ${name}: neither name nor id can be changed`);
    }
    this.#devices.put([this.pool, name], draft);
    this.#promise(draft.sizeBytes - before.sizeBytes);
    return draft;
  }

  #remove(name: string): void {
    const { deviceId, sizeBytes } = this.getDevice(name);
    this.#devices.remove([this.pool, name]);
    this.#promise(-sizeBytes);
    this.#release(deviceId);
  }

  #release(id: number): void {
    this.#ids.put(this.#idKey(id), { state: 'free' });
  }

  #takeId(): number {
    for (const { key, value } of this.#ids.range(rowsOf(this.pool))) {
      if (value.state !== 'free') continue;
      this.#ids.remove(key);
      return Number(key[1]);
    }
    const row = this.#row();
    let id = row.next_id;
    while (this.#ids.get(this.#idKey(id)) !== undefined) id += 1;
    if (id > DEVICE_ID_MAX) {
      throw new DunnageError('NO_SPACE', "dm-meta: couldn't find free device key", {
        remedy: 'Remove devices, or free the ids of faulty ones: dunnage pool repair',
      });
    }
    this.#pools.put(this.pool, { ...row, next_id: id + 1 });
    return id;
  }

  #nextTransaction(): number {
    const row = this.#row();
    const transaction = row.transaction_id + 1;
    this.#pools.put(this.pool, { ...row, transaction_id: transaction });
    return transaction;
  }

  #row(): PoolRow {
    return this.#pools.get(this.pool) ?? NEW_POOL;
  }

  #idKey(id: number): PoolKey {
    return [this.pool, String(id)];
  }
}

function notFound(pool: string, name: string): DunnageError {
  return new DunnageError('NOT_FOUND', `thin device ${JSON.stringify(name)} of pool ${pool}: not found`);
}
