/**
 * Pools on their way out. What somebody uses is not touched: all of it is found out before anything is removed, and then everything is as it
 * was. From the first removal on there is no way back, and a start goes on with it.
 */
import type { Log } from '../../base/log.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import type { PoolSpec } from '../pool-spec.ts';
import type { PoolBacking } from './pool-backing.ts';
import { whileNamingUsers } from './pool-devices.ts';
import type { PoolRecord, PoolRecords } from './pool-records.ts';
import type { ServedPool } from './served-pool.ts';

export interface Deletion {
  /** Names of the devices that were removed with the pool. */
  readonly devices: readonly string[];
  /** What stays, in words. */
  readonly left: string;
}

export interface DeletionOutcome {
  readonly deletion: Deletion;
  /** Why it is not gone. */
  readonly error: DunnageError | undefined;
  /** The pool, if it is in service still. */
  readonly served: ServedPool | undefined;
}

export interface PoolDeletionsOptions {
  readonly records: PoolRecords;
  readonly metadataOf: (pool: string) => PoolMetadata;
  readonly backingOf: (spec: PoolSpec) => PoolBacking;
  readonly log: Log;
}

const NOTHING: Deletion = { devices: [], left: '' };
const NAMED_MAX = 5;

export class PoolDeletions {
  readonly #options: PoolDeletionsOptions;

  constructor(options: PoolDeletionsOptions) {
    this.#options = options;
  }

  /** Preconditions: the pool's turn is held alone. */
  async run(record: PoolRecord, served: ServedPool | undefined, force: boolean): Promise<DeletionOutcome> {
    const { records } = this.#options;
    const refusal = await this.#refusal(record, served, force);
    if (refusal !== undefined) return { deletion: NOTHING, error: refusal, served };
    const { spec, createdAtMs, isNew } = record;
    const deleting: PoolRecord = { spec, createdAtMs, state: 'deleting', ...(isNew && { isNew }) };
    try {
      await records.transition(deleting);
      if (served !== undefined && record.state !== 'deleting') await deactivateAll(served);
    } catch (error) {
      await this.#note(record);
      return { deletion: NOTHING, error: fromSystemError(error, 'cannot delete the pool'), served };
    }
    return await this.finish(deleting, served, { mayForget: true, wasBegun: record.state === 'deleting' });
  }

  /**
   * `wasBegun`: an earlier attempt has removed some of it, perhaps all. `mayForget`: what cannot be put into service is left as it is.
   * Preconditions: the record says `deleting`.
   */
  async finish(
    record: PoolRecord,
    served: ServedPool | undefined,
    how: { readonly mayForget: boolean; readonly wasBegun: boolean },
  ): Promise<DeletionOutcome> {
    const { records, metadataOf, backingOf } = this.#options;
    const { spec } = record;
    const metadata = metadataOf(spec.name);
    const devices = metadata.getDeviceNames();
    let isInService = served !== undefined;
    try {
      if (served !== undefined) {
        await removeAll(served);
        await served.keeper.close();
        await served.driver.destroy();
        isInService = false;
        await served.close();
      }
      const left = served === undefined ? await this.#leave(record, how) : await backingOf(spec).remove();
      await records.remove(spec.name, () => metadata.removeAll());
      return { deletion: { devices, left }, error: undefined, served: undefined };
    } catch (error) {
      const reason = fromSystemError(error, `cannot delete the pool ${spec.name}`);
      await this.#note({ ...record, reason: reason.message });
      return { deletion: NOTHING, error: reason, served: isInService ? served : undefined };
    }
  }

  /** What cannot be written down is in the log: the next start finds out by itself. */
  async #note(record: PoolRecord): Promise<void> {
    const { records, log } = this.#options;
    try {
      if (records.get(record.spec.name) !== undefined) await records.transition(record);
    } catch (error) {
      log.error({ pool: record.spec.name, reason: reasonOf(error) }, 'the state of a pool cannot be written down');
    }
  }

  /** Of what cannot be put into service: the rest of what was begun goes. */
  async #leave(
    { isNew, spec }: PoolRecord,
    { mayForget, wasBegun }: { readonly mayForget: boolean; readonly wasBegun: boolean },
  ): Promise<string> {
    const backing = this.#options.backingOf(spec);
    try {
      if (isNew === true) {
        await backing.undo(true);
        return '';
      }
      if (wasBegun) return await backing.remove();
    } catch (error) {
      if (!mayForget) throw error;
      this.#options.log.warn({ pool: spec.name, reason: reasonOf(error) }, 'what a deleted pool lay on is left alone');
    }
    return 'what the pool lay on could not be used, and stays as it is';
  }

  async #refusal(
    record: PoolRecord,
    served: ServedPool | undefined,
    force: boolean,
  ): Promise<DunnageError | undefined> {
    if (force || record.state === 'deleting') return undefined;
    const { name } = record.spec;
    const devices = this.#options.metadataOf(name).getDeviceNames();
    if (devices.length > 0) return hasDevices(name, devices);
    if (served === undefined) {
      if (record.isNew === true) return undefined;
      return new DunnageError(
        'BUSY',
        `the pool ${name} cannot be put into service: ${record.reason ?? 'see the log'}`,
        {
          remedy: 'mend that first; with --force it is forgotten, and what it lies on stays as it is',
        },
      );
    }
    const unknown = [...(await served.reality()).keys()].map((id) => `id ${id}, which no record names`);
    return unknown.length === 0 ? undefined : hasDevices(name, unknown);
  }
}

function hasDevices(pool: string, devices: readonly string[]): DunnageError {
  const more = devices.length > NAMED_MAX ? ` and ${devices.length - NAMED_MAX} more` : '';
  const named = devices.slice(0, NAMED_MAX).join(', ') + more;
  return new DunnageError('BUSY', `the pool ${pool} has devices: ${named}`, {
    remedy: 'remove them first, or with the pool: --force. Their content is lost then',
  });
}

/** All of them, or none: those that were active are so again. @throws DunnageError BUSY, with who uses one */
async function deactivateAll(served: ServedPool): Promise<void> {
  const active: string[] = [];
  for (const name of served.metadata.getDeviceNames()) if (await served.device.isLoaded(name)) active.push(name);
  const outcomes = await Promise.allSettled(
    active.map((name) => whileNamingUsers(served, name, () => putAway(served, name))),
  );
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure === undefined) return;
  await Promise.allSettled(active.map((name) => served.device.activateDevice(name)));
  throw failure.reason;
}

async function putAway(served: ServedPool, name: string): Promise<void> {
  if (served.metadata.findDevice(name)?.state !== 'Faulty') await served.device.deactivateDevice(name);
}

async function removeAll(served: ServedPool): Promise<void> {
  for (const name of served.metadata.getDeviceNames()) {
    await whileNamingUsers(served, name, () => served.device.removeDevice(name));
  }
  // What nobody here made goes too: the pool is gone afterwards.
  for (const { id } of await served.driver.list()) await served.driver.delete(id);
}
