/** Check of a pool, the same for all drivers and whether it is in service or not. Nothing is changed. */
import { checkDeviceMapperPool } from '../device-mapper/maintenance.ts';
import { checkPlace } from '../reflink/repair-place.ts';
import { type CareTarget, maintenanceOf, placeOf } from './care-target.ts';
import { checkServedPool } from './check-served.ts';
import type { CareReport, Inspection } from './pool-finding.ts';

/** @throws DunnageError MISSING_DEPENDENCY, BUSY if a pool out of service is in use all the same */
export async function checkPool(target: CareTarget): Promise<CareReport> {
  const { findings, notes } = await inspectPool(target);
  return { repaired: [], remaining: findings, notes };
}

export async function inspectPool(target: CareTarget): Promise<Inspection> {
  const { served, metadata } = target;
  if (served !== undefined) return await checkServedPool({ driver: served.driver, metadata });
  const place = placeOf(target);
  if (place !== undefined) return await checkPlace(place);
  const problem = await checkDeviceMapperPool(maintenanceOf(target));
  if (problem === undefined) return { findings: [], notes: [] };
  const action = 'thin_repair makes whole metadata beside the damaged ones, which are kept';
  return { findings: [{ object: 'metadata', what: problem, repairable: true, action }], notes: [] };
}
