/** Check and repair of a pool, as reports for the control API. */
import type { PoolCheckReport, PoolFinding, PoolRepairOptions } from '../../server/pool-operations.ts';
import type { CareReport } from '../../thinpool/care/pool-finding.ts';
import { driverOf } from '../../thinpool/pool-spec.ts';
import type { PoolRecord } from '../../thinpool/service/pool-records.ts';
import type { PoolService } from '../../thinpool/service/pool-service.ts';

export async function checkPool(service: PoolService, name: string): Promise<PoolCheckReport> {
  const found = await service.check(name);
  return toReport(service.get(name), false, found, []);
}

export async function repairPool(
  service: PoolService,
  name: string,
  options: PoolRepairOptions,
): Promise<PoolCheckReport> {
  const before = service.get(name);
  const found = await service.repair(name, options);
  const after = service.get(name);
  const isBack = before.state !== 'ready' && after.state === 'ready';
  const what = `it was not in service: ${before.reason ?? before.state}`;
  const back = { object: 'pool', what, repairable: true, action: 'it is in service again' };
  return toReport(after, true, found, isBack ? [back] : []);
}

function toReport(
  { spec, state, reason }: PoolRecord,
  repair: boolean,
  { repaired, remaining, notes }: CareReport,
  more: readonly PoolFinding[],
): PoolCheckReport {
  const what = `it is not in service: ${reason ?? state}`;
  const action = 'mend what keeps it from that; a repair tries again';
  const out = state === 'ready' ? [] : [{ object: 'pool', what, repairable: true, action }];
  const [done, left] = [
    [...repaired, ...more],
    [...remaining, ...out],
  ];
  const nothingLeft = done.length > 0 ? 'repaired' : 'clean';
  const outcome = left.length === 0 ? nothingLeft : repair ? 'unrepaired' : 'found';
  return { name: spec.name, driver: driverOf(spec), repair, outcome, repaired: done, remaining: left, notes };
}
