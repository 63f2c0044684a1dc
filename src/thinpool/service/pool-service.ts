/**
 * The pools of a daemon: what is wanted is in the store (`pool-records`), what follows from it is done here.
 *
 *   apply  -> creating -> ready       a new pool that cannot be made leaves nothing
 *             creating -> broken      one that exists stays, and says why; nobody else is stopped by it
 *   delete -> deleting -> gone        refused while it has devices, unless they shall go with it
 *
 * Work on devices shares the turn of its pool, what changes the pool as a whole has it alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { formatDuration } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Store } from '../../store/store.ts';
import type { CareReport } from '../care/pool-finding.ts';
import { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import { assertPoolName, differs, type PoolPaths, type PoolSpec, poolPaths } from '../pool-spec.ts';
import type { RepairOptions } from '../repair.ts';
import type { PoolSpaceEvent, SpaceReport } from '../space/pool-space.ts';
import type { TrimReport } from '../space/trim-pool.ts';
import { backingOf } from './choose-backing.ts';
import { PlaceClaims } from './place-claims.ts';
import { type PoolBacking, publicPrefix } from './pool-backing.ts';
import { merged, NOTHING_FOUND, PoolCare } from './pool-care.ts';
import { type Deletion, PoolDeletions } from './pool-deletions.ts';
import { type DeviceView, type NewDeviceRequest, PoolDevices } from './pool-devices.ts';
import { POOL_STATES, type PoolRecord, PoolRecords, type PoolState } from './pool-records.ts';
import { type PoolFigures, ServedPool } from './served-pool.ts';
import { PoolTurns } from './turns.ts';

export interface PoolServiceOptions {
  readonly store: Store;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called before each record is written. */
  readonly onStep?: ((step: string) => void) | undefined;
  readonly onSpaceEvent?: (pool: string, event: PoolSpaceEvent) => void;
  readonly onTrim?: (pool: string, report: TrimReport) => void;
  /** A pool that says nothing for so long is shown without figures. */
  readonly answerMsMax?: number;
  /** Stands in for what pools lie on, in tests. */
  readonly backingOf?: typeof backingOf;
}

export interface PoolView extends PoolRecord {
  readonly paths: PoolPaths;
  readonly metadata: PoolMetadata;
  /** Undefined while it is not in service; a sentence if it cannot be asked. */
  readonly figures: PoolFigures | string | undefined;
}

const ANSWER_MS_MAX = 5_000;

export type PoolAction = 'created' | 'configured' | 'unchanged';

export class PoolService {
  readonly #options: PoolServiceOptions;
  readonly #records: PoolRecords;
  readonly #turns = new PoolTurns();
  readonly #served = new Map<string, ServedPool>();
  readonly #devices: PoolDevices;
  readonly #deletions: PoolDeletions;
  readonly #care: PoolCare;
  readonly #claims: PlaceClaims;
  #isClosed = false;

  constructor(options: PoolServiceOptions) {
    this.#options = options;
    this.#records = new PoolRecords(options.store, options.onStep);
    this.#devices = new PoolDevices((publicName, pool) => this.#holderOf(publicName, pool));
    const { stateDir, runtimeDir, log } = options;
    this.#care = new PoolCare({ stateDir, runtimeDir, log, metadataOf: (name) => this.#metadata(name) });
    this.#claims = new PlaceClaims(stateDir, () => this.#records.list().map(({ spec }) => spec));
    this.#deletions = new PoolDeletions({
      ...{ records: this.#records, log: options.log },
      metadataOf: (name) => this.#metadata(name),
      backingOf: (spec) => this.#backing(spec),
    });
  }

  /** How many are in each state. */
  states(): ReadonlyMap<PoolState, number> {
    const records = this.#records.list();
    return new Map(POOL_STATES.map((state) => [state, records.filter((record) => record.state === state).length]));
  }

  /** The last looks at the space of those in service. */
  *reports(): IterableIterator<{ readonly pool: string; readonly report: SpaceReport }> {
    for (const [pool, { keeper }] of this.#served)
      if (keeper.report !== undefined) yield { pool, report: keeper.report };
  }

  list(): readonly PoolRecord[] {
    return this.#records.list();
  }

  /** @throws DunnageError NOT_FOUND */
  get(name: string): PoolRecord {
    return this.#known(name);
  }

  /** With its figures, if it can be asked just now. @throws DunnageError NOT_FOUND */
  async view(name: string): Promise<PoolView> {
    const record = this.#known(name);
    const asked = this.#turns.sharedNow(name, async () => await this.#served.get(name)?.figures());
    const { answerMsMax = ANSWER_MS_MAX } = this.#options;
    const answered = new AbortController();
    const silence = delay(answerMsMax, `it has not answered for ${formatDuration(answerMsMax)}`, answered);
    const figures = await Promise.race([asked.catch(sentenceOf), silence]);
    answered.abort();
    return { ...record, paths: this.#paths(record.spec), metadata: this.#metadata(name), figures };
  }

  /** Without a pool that can be asked just now what the records say. @throws DunnageError NOT_FOUND */
  async devices(name: string): Promise<readonly DeviceView[]> {
    this.#known(name);
    const listed = await this.#turns.sharedNow(name, async () => {
      const served = this.#served.get(name);
      return served === undefined ? undefined : await this.#devices.list(served);
    });
    const infos = [...this.#metadata(name).walkDevices()];
    return listed ?? infos.map((info) => ({ ...info, ownBytes: 0, sharedBytes: 0, isActive: false }));
  }

  /** @throws DunnageError NOT_FOUND, BUSY if the pool is not in service, and what the making of a device throws */
  async putDevice(pool: string, device: string, wanted: NewDeviceRequest): Promise<DeviceView> {
    return await this.#inService(pool, (served) => this.#devices.put(served, device, wanted));
  }

  async activateDevice(pool: string, device: string): Promise<DeviceView> {
    return await this.#inService(pool, (served) => this.#devices.activate(served, device));
  }

  /** @throws DunnageError BUSY, with who uses it */
  async deactivateDevice(pool: string, device: string): Promise<DeviceView> {
    return await this.#inService(pool, (served) => this.#devices.deactivate(served, device));
  }

  /** @throws DunnageError BUSY, with who uses it */
  async removeDevice(pool: string, device: string): Promise<void> {
    await this.#inService(pool, (served) => this.#devices.remove(served, device));
  }

  /** For what only those who know the driver can do with a pool in service. */
  async withPool<T>(pool: string, task: (served: ServedPool) => Promise<T>): Promise<T> {
    return await this.#inService(pool, task);
  }

  /**
   * Creates the pool, or brings it to what is said now; a broken one is tried again. `onlyNew` refuses one that exists.
   * @throws DunnageError ALREADY_EXISTS, IMMUTABLE, and what keeps it from its service
   */
  async apply(spec: PoolSpec, onlyNew = false): Promise<PoolAction> {
    assertPoolName(spec.name);
    return await this.#turns.alone(spec.name, async () => {
      this.#assertOpen();
      const record = this.#records.get(spec.name);
      if (record === undefined) return await this.#create(spec);
      if (record.state === 'deleting') throw beingDeleted(record);
      if (onlyNew) {
        throw new DunnageError('ALREADY_EXISTS', `there is a pool ${spec.name} already`, {
          remedy: `dunnage get pool ${spec.name} shows it; dunnage apply -f changes it`,
        });
      }
      return await this.#configure(record, spec);
    });
  }

  /**
   * The pool goes; with `force` its devices as well. Resolves to what was removed, and what stays.
   * @throws DunnageError NOT_FOUND; NOT_EMPTY if it has devices; BUSY if somebody uses one: all is as it was then
   */
  async delete(name: string, force: boolean): Promise<Deletion> {
    return await this.#turns.alone(name, async () => {
      this.#assertOpen();
      const record = this.#known(name);
      const served = this.#served.get(name) ?? (await this.#tryOpen(record));
      const outcome = await this.#deletions.run(record, served, force);
      if (outcome.served === undefined) this.#served.delete(name);
      else this.#served.set(name, outcome.served);
      if (outcome.error !== undefined) throw outcome.error;
      return outcome.deletion;
    });
  }

  /** Looks for what is wrong, and changes nothing. @throws DunnageError NOT_FOUND, MISSING_DEPENDENCY, BUSY */
  async check(name: string): Promise<CareReport> {
    this.#known(name);
    const looked = await this.#turns.shared(name, async () => {
      const served = this.#served.get(name);
      return served === undefined ? undefined : await this.#care.check(this.#known(name).spec, served);
    });
    // Nobody puts it into service while it is looked at.
    return looked ?? (await this.#turns.alone(name, () => this.#checkNow(this.#known(name))));
  }

  async #checkNow({ spec, isNew }: PoolRecord): Promise<CareReport> {
    if (isNew === true) return NOTHING_FOUND;
    return await this.#care.check(spec, this.#served.get(spec.name));
  }

  /** Mends what can be mended, and puts the pool into service. @throws DunnageError NOT_FOUND, BUSY, MISSING_DEPENDENCY */
  async repair(name: string, options: RepairOptions = {}): Promise<CareReport> {
    return await this.#turns.alone(name, async () => {
      this.#assertOpen();
      const record = this.#known(name);
      if (record.state === 'deleting') throw beingDeleted(record);
      const opened = this.#served.get(name) ?? (await this.#tryOpen(record));
      if (opened !== undefined) this.#served.set(name, opened);
      const notes = await this.#putAside(record);
      const isOut = !this.#served.has(name) && notes.length === 0 && record.isNew !== true;
      const care = isOut ? this.#care.repair(record.spec, undefined, options) : Promise.resolve(NOTHING_FOUND);
      const [outside] = await Promise.allSettled([care]);
      await this.#bring(this.#known(name)).catch(() => undefined);
      const served = this.#served.get(name);
      // What lies there needed no repair if it is in service now.
      if (served === undefined && outside.status === 'rejected') throw outside.reason;
      const first = outside.status === 'fulfilled' ? outside.value : NOTHING_FOUND;
      const then = served === undefined ? first : merged(first, await this.#care.repair(record.spec, served, options));
      return { ...then, notes: [...notes, ...then.notes] };
    });
  }

  /** Out of service, if it cannot be mended in service and nobody uses it. Resolves to why that cannot be. */
  async #putAside({ spec: { name } }: PoolRecord): Promise<readonly string[]> {
    const served = this.#served.get(name);
    if (served === undefined || !(await served.wantsRest())) return [];
    this.#served.delete(name);
    const inUse = await served.rest();
    if (inUse.length === 0) return [];
    return [
      `${inUse.join(', ')} cannot be deactivated because somebody uses them: the pool is not looked at out of service`,
    ];
  }

  /** At the start: every pool as its record says, each by itself. One that cannot be is broken, and says why. */
  async recover(): Promise<void> {
    await Promise.all(
      this.#records.list().map(({ spec: { name } }) => this.#turns.alone(name, () => this.#recoverOne(name))),
    );
  }

  /** Devices stay active: the next daemon goes on with them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.ended();
    await Promise.all([...this.#served.values()].map((served) => served.close()));
    this.#served.clear();
  }

  /**
   * Takes everything that nobody uses out of service, and ends like `close`. The next start brings it back. Resolves to the names of
   * the devices that stay.
   */
  async rest(): Promise<readonly string[]> {
    this.#isClosed = true;
    await this.#turns.ended();
    const rested = [...this.#served].map(async ([name, served]) => {
      try {
        return (await served.rest()).map((device) => publicPrefix(name) + device);
      } catch (error) {
        this.#options.log.warn({ pool: name, reason: reasonOf(error) }, 'a pool stays in service');
        await served.close();
        return [];
      }
    });
    this.#served.clear();
    return (await Promise.all(rested)).flat();
  }

  async #create(spec: PoolSpec): Promise<PoolAction> {
    const backing = this.#backing(spec);
    const createdAtMs = this.#options.clock.nowMs();
    const record = await this.#claims.claim(spec, async () => {
      const isNew = (await backing.inspect()) === 'new';
      return await this.#records.create({ spec, state: 'creating', createdAtMs, ...(isNew && { isNew }) });
    });
    try {
      if (record.isNew === true) await backing.make(false);
      await this.#serve(record, backing);
    } catch (error) {
      await this.#undoCreate(record, backing);
      throw error;
    }
    return 'created';
  }

  /** What cannot be taken away stays as a pool that is broken, and says why. */
  async #undoCreate(record: PoolRecord, backing: PoolBacking): Promise<void> {
    // The daemon ends: the next one goes on with it.
    if (this.#isClosed) return;
    try {
      if (record.isNew === true) await backing.undo(false);
      const metadata = this.#metadata(record.spec.name);
      await this.#records.remove(record.spec.name, () => metadata.removeAll());
    } catch (error) {
      await this.#break(record, error);
    }
  }

  async #configure(record: PoolRecord, spec: PoolSpec): Promise<PoolAction> {
    if (!differs(record.spec, spec) && record.state === 'ready') return 'unchanged';
    if (spec.overcommit !== undefined && record.spec.overcommit === undefined) {
      await this.#backing(spec).assertOvercommits?.();
    }
    const { isNew } = record;
    const creating = await this.#records.transition({ ...bare(record, 'creating'), spec, ...(isNew && { isNew }) });
    await this.#leave(spec.name);
    try {
      await this.#make(creating);
      await this.#served.get(spec.name)?.grow();
    } catch (error) {
      await this.#leave(spec.name);
      // What cannot be as it is said now stays as it was.
      if (record.state === 'ready') await this.#makeOrBreak({ ...creating, spec: record.spec }).catch(() => undefined);
      else await this.#break(creating, error);
      throw error;
    }
    return 'configured';
  }

  /** Devices stay active. */
  async #leave(name: string): Promise<void> {
    await this.#served.get(name)?.close();
    this.#served.delete(name);
  }

  async #recoverOne(name: string): Promise<void> {
    const record = this.#records.get(name);
    if (record === undefined || this.#isClosed) return;
    if (record.state !== 'deleting') {
      await this.#makeOrBreak(record).catch(() => undefined);
      await this.#served
        .get(name)
        ?.grow()
        .catch((error: unknown) => {
          this.#options.log.warn({ pool: name, reason: reasonOf(error) }, 'a pool is not as large as it should be');
        });
      return;
    }
    const { error, served } = await this.#deletions.finish(record, await this.#tryOpen(record), {
      mayForget: false,
      wasBegun: true,
    });
    await served?.close();
    if (error !== undefined) this.#options.log.error({ pool: name, reason: error.message }, 'a pool cannot be deleted');
  }

  /** @throws what it is broken by */
  async #makeOrBreak(record: PoolRecord): Promise<void> {
    try {
      await this.#make(record);
    } catch (error) {
      await this.#break(record, error);
      throw error;
    }
  }

  /** Brings the pool from whatever state it is in to `ready`. */
  async #make(record: PoolRecord): Promise<void> {
    const backing = this.#backing(record.spec);
    if (record.isNew === true) await backing.make(true);
    await this.#serve(record, backing);
  }

  async #serve(record: PoolRecord, backing: PoolBacking): Promise<void> {
    const served = await this.#open(record.spec, backing);
    this.#served.set(record.spec.name, served);
    if (record.state !== 'ready') await this.#records.transition(bare(record, 'ready'));
  }

  /** After a repair: in service if it can be. */
  async #bring(record: PoolRecord): Promise<void> {
    if (this.#served.has(record.spec.name)) {
      if (record.state !== 'ready') await this.#records.transition(bare(record, 'ready'));
    } else {
      await this.#makeOrBreak(record);
    }
  }

  async #open(spec: PoolSpec, backing: PoolBacking): Promise<ServedPool> {
    const { log, onSpaceEvent, onTrim } = this.#options;
    return await ServedPool.open({
      ...{ spec, log, driver: backing.driver(), metadata: this.#metadata(spec.name) },
      onSpaceEvent: (event) => onSpaceEvent?.(spec.name, event),
      onTrim: (report) => onTrim?.(spec.name, report),
    });
  }

  async #tryOpen({ spec, isNew }: PoolRecord): Promise<ServedPool | undefined> {
    if (isNew === true) return undefined;
    try {
      return await this.#open(spec, this.#backing(spec));
    } catch (error) {
      this.#options.log.warn({ pool: spec.name, reason: reasonOf(error) }, 'a pool cannot be put into service');
      return undefined;
    }
  }

  async #break(record: PoolRecord, error: unknown): Promise<void> {
    // What was cut off by the end of the daemon is not broken.
    if (this.#isClosed) return;
    const { isNew } = record;
    const reason = sentenceOf(error);
    this.#options.log.error({ pool: record.spec.name, reason }, 'a pool is broken');
    await this.#records.transition({ ...bare(record, 'broken'), reason, ...(isNew && { isNew }) });
  }

  async #inService<T>(name: string, task: (served: ServedPool) => Promise<T>): Promise<T> {
    return await this.#turns.shared(name, async () => {
      this.#assertOpen();
      const record = this.#known(name);
      const served = this.#served.get(name);
      if (served !== undefined) return await task(served);
      if (record.state === 'deleting') throw beingDeleted(record);
      throw new DunnageError('BUSY', `the pool ${name} is not in service: ${record.reason ?? record.state}`, {
        remedy: `mend what keeps it from that, then: dunnage pool repair ${name}`,
      });
    });
  }

  /** Another pool that has a device of that public name. */
  #holderOf(publicName: string, pool: string): string | undefined {
    const others = this.#records.list().map(({ spec }) => spec.name);
    return others.find((other) => {
      const prefix = publicPrefix(other);
      if (other === pool || !publicName.startsWith(prefix)) return false;
      return this.#metadata(other).findDevice(publicName.slice(prefix.length)) !== undefined;
    });
  }

  #known(name: string): PoolRecord {
    const record = this.#records.get(name);
    if (record !== undefined) return record;
    throw new DunnageError('NOT_FOUND', `there is no pool ${JSON.stringify(name)}`, {
      remedy: 'dunnage pool list shows all',
    });
  }

  #metadata(name: string): PoolMetadata {
    return new PoolMetadata(this.#options.store, name);
  }

  #paths(spec: PoolSpec): PoolPaths {
    return poolPaths(spec, this.#options.stateDir);
  }

  #backing(spec: PoolSpec): PoolBacking {
    const { runtimeDir, log, backingOf: make = backingOf } = this.#options;
    return make({
      ...{ spec, runtimeDir, log, paths: this.#paths(spec) },
      onWriters: () => this.#served.get(spec.name)?.keeper.notice(),
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DunnageError('INTERRUPTED', 'the daemon is ending');
  }
}

function bare({ spec, createdAtMs }: PoolRecord, state: PoolState): PoolRecord {
  return { spec, createdAtMs, state };
}

function sentenceOf(error: unknown): string {
  const { message, remedy } = error as { message?: string; remedy?: string };
  return remedy === undefined ? (message ?? String(error)) : `${message}; ${remedy}`;
}

function beingDeleted({ spec, reason }: PoolRecord): DunnageError {
  const why = reason === undefined ? '' : `, and cannot go: ${reason}`;
  return new DunnageError('BUSY', `the pool ${spec.name} is being deleted${why}`, {
    remedy: `dunnage pool delete ${spec.name} --force tries again`,
  });
}
