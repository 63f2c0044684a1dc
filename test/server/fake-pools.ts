/** The thin pools of a daemon in memory: they record what was asked and answer what the test put there. */
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type {
  NewPoolDevice,
  PoolApplyResult,
  PoolCheckReport,
  PoolDeletion,
  PoolDetail,
  PoolDeviceSummary,
  PoolOperations,
  PoolRepairOptions,
  PoolStatusDoc,
  PoolSummary,
} from '../../src/server/pool-operations.ts';

export class FakePools implements PoolOperations {
  readonly calls: (readonly unknown[])[] = [];
  readonly pools: PoolStatusDoc[] = [];
  warnings: readonly string[] = [];
  left = '';
  report: PoolCheckReport = examplePoolReport('clean');
  /** Thrown by the next operation instead of an answer. */
  failure: unknown;

  async putPool(name: string, spec: unknown, onlyNew: boolean): Promise<PoolApplyResult> {
    this.#enter('putPool', name, spec, onlyNew);
    const told = this.warnings.length === 0 ? {} : { warnings: this.warnings };
    return { kind: 'Pool', namespace: 'default', name, directory: '', action: 'created', ...told };
  }

  async listPools(): Promise<readonly PoolSummary[]> {
    this.#enter('listPools');
    return this.pools.map(toSummary);
  }

  async getPool(name: string): Promise<PoolDetail> {
    this.#enter('getPool', name);
    const { state } = this.#find(name);
    const spec = { driver: 'reflink', directory: '/mnt/xfs/pool', deviceSize: '10GiB' };
    const manifest = { apiVersion: 'dunnage/v1', kind: 'Pool', metadata: { name }, spec } as const;
    return { name, state, createdAtMs: 1_700_000_000_000, manifest };
  }

  async poolStatus(name: string): Promise<PoolStatusDoc> {
    this.#enter('poolStatus', name);
    return this.#find(name);
  }

  async deletePool(name: string, force: boolean): Promise<PoolDeletion> {
    this.#enter('deletePool', name, force);
    const { devices } = this.#find(name);
    return { name, devices: devices.map((device) => device.name), left: this.left };
  }

  async checkPool(name: string): Promise<PoolCheckReport> {
    this.#enter('checkPool', name);
    return this.report;
  }

  async repairPool(name: string, options: PoolRepairOptions): Promise<PoolCheckReport> {
    this.#enter('repairPool', name, options);
    return this.report;
  }

  async listPoolDevices(pool: string): Promise<readonly PoolDeviceSummary[]> {
    this.#enter('listPoolDevices', pool);
    return this.#find(pool).devices;
  }

  async putPoolDevice(pool: string, device: string, wanted: NewPoolDevice): Promise<PoolDeviceSummary> {
    this.#enter('putPoolDevice', pool, device, wanted);
    return exampleDevice(device);
  }

  async activatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
    this.#enter('activatePoolDevice', pool, device);
    return exampleDevice(device);
  }

  async deactivatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
    this.#enter('deactivatePoolDevice', pool, device);
    const { path: _, ...inactive } = exampleDevice(device);
    return { ...inactive, active: false, state: 'Deactivated' };
  }

  async deletePoolDevice(pool: string, device: string): Promise<void> {
    this.#enter('deletePoolDevice', pool, device);
  }

  #find(name: string): PoolStatusDoc {
    const found = this.pools.find((pool) => pool.name === name);
    if (found === undefined) throw new DunnageError('NOT_FOUND', `there is no pool ${name}`);
    return found;
  }

  #enter(...call: readonly unknown[]): void {
    this.calls.push(call);
    if (this.failure === undefined) return;
    const failure = this.failure;
    this.failure = undefined;
    throw failure;
  }
}

function toSummary(pool: PoolStatusDoc): PoolSummary {
  const { name, driver, state, place, data, promisedBytes, promisableBytes, devices, warnings, reason } = pool;
  const common = { name, driver, state, place, data, promisedBytes, promisableBytes, warnings };
  const told = reason === undefined ? {} : { reason };
  return { ...common, ...told, createdAtMs: 1_700_000_000_000, devices: devices.length };
}

const GIB = 1024 ** 3;

export function exampleDevice(name: string): PoolDeviceSummary {
  const space = { sizeBytes: 10 * GIB, ownBytes: 1.5 * GIB, sharedBytes: GIB / 2 };
  return { name, id: 1, state: 'Activated', ...space, active: true, path: `/run/dunnage/dev/fast-${name}` };
}

export function examplePool(changed: Partial<PoolStatusDoc> = {}): PoolStatusDoc {
  const { path: _, ...inactive } = exampleDevice('before');
  return {
    ...{ name: 'fast', driver: 'reflink', state: 'ready', place: '/mnt/xfs/pool', transaction: 17 },
    data: { usedBytes: 12 * GIB, totalBytes: 100 * GIB },
    metadata: { usedBytes: 0, totalBytes: 0 },
    promisedBytes: 20 * GIB,
    promisableBytes: 98 * GIB,
    overcommit: { allowed: false, highWaterMark: 90 },
    ...{ writersStopped: false, isReadOnly: false, needsCheck: false, lowWater: false },
    devices: [
      exampleDevice('web'),
      { ...inactive, id: 2, ownBytes: 0, active: false, state: 'Deactivated', snapshotOf: 'web' },
    ],
    warnings: [],
    ...changed,
  };
}

export function examplePoolReport(outcome: PoolCheckReport['outcome']): PoolCheckReport {
  const faulty = { object: 'device web', what: 'is Faulty', repairable: true, action: 'settles it again' };
  const unknown = { object: 'id 9', what: 'no record names it', repairable: false, action: 'see what it holds' };
  const isRepair = outcome === 'repaired' || outcome === 'unrepaired';
  const found = outcome === 'found' ? [faulty, unknown] : outcome === 'unrepaired' ? [unknown] : [];
  return {
    ...{ name: 'fast', driver: 'reflink', repair: isRepair, outcome },
    repaired: isRepair ? [{ ...faulty, action: 'was settled' }] : [],
    remaining: found,
    notes: outcome === 'clean' ? ['xfs_repair -n was left out: the pool is mounted'] : [],
  };
}
