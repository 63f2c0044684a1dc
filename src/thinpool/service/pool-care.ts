/** Check and repair of the pools of a service, in service and out of it. */
import type { Log } from '../../base/log.ts';
import type { CareTarget } from '../care/care-target.ts';
import { checkPool } from '../care/check-pool.ts';
import type { CareReport } from '../care/pool-finding.ts';
import { repairPool } from '../care/repair-pool.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { type PoolSpec, poolPaths } from '../pool-spec.ts';
import type { RepairOptions } from '../repair.ts';
import type { ServedPool } from './served-pool.ts';

export interface PoolCareOptions {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly metadataOf: (pool: string) => PoolMetadata;
  readonly log: Log;
}

export const NOTHING_FOUND: CareReport = { repaired: [], remaining: [], notes: [] };

export class PoolCare {
  readonly #options: PoolCareOptions;

  constructor(options: PoolCareOptions) {
    this.#options = options;
  }

  async check(spec: PoolSpec, served: ServedPool | undefined): Promise<CareReport> {
    return await checkPool(this.#target(spec, served));
  }

  async repair(spec: PoolSpec, served: ServedPool | undefined, options: RepairOptions): Promise<CareReport> {
    return await repairPool(this.#target(spec, served), options);
  }

  #target(spec: PoolSpec, served: ServedPool | undefined): CareTarget {
    const { stateDir, runtimeDir, log, metadataOf } = this.#options;
    const metadata = served?.metadata ?? metadataOf(spec.name);
    const about = { spec, paths: poolPaths(spec, stateDir), metadata, stateDir, runtimeDir, log };
    return served === undefined ? about : { ...about, served };
  }
}

/** Of a repair out of service, and then one in service, which has the last word on what remains. */
export function merged(first: CareReport, then: CareReport): CareReport {
  return {
    repaired: [...first.repaired, ...then.repaired],
    remaining: then.remaining,
    notes: [...new Set([...first.notes, ...then.notes])],
  };
}
