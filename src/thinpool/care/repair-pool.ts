/**
 * Repair of a pool. One in service is repaired under its users; of one that cannot be put into service what it lies on, and the caller puts
 * it into service afterwards.
 *
 * What was repaired is told by looking twice: what was found before and is not found any more.
 */
import { stat } from 'node:fs/promises';
import { repairDeviceMapperPool } from '../device-mapper/maintenance.ts';
import { repairPlace } from '../reflink/repair-place.ts';
import type { RepairOptions, RepairReport } from '../repair.ts';
import { type CareTarget, maintenanceOf, placeOf, repairDirectory } from './care-target.ts';
import { inspectPool } from './check-pool.ts';
import { keyOf } from './check-served.ts';
import type { CareReport, PoolFinding } from './pool-finding.ts';

/** @throws DunnageError MISSING_DEPENDENCY, BUSY if a pool out of service is in use all the same, CORRUPT */
export async function repairPool(target: CareTarget, options: RepairOptions = {}): Promise<CareReport> {
  const before = await inspectPool(target);
  const done = target.served === undefined ? await repairUnserved(target) : await repairServed(target, options);
  const after = await inspectPool(target);
  const left = new Set(after.findings.map(keyOf));
  const repaired = before.findings.filter((finding) => !left.has(keyOf(finding)));
  const told = new Set(repaired.map(({ object }) => object));
  const more = done.more.filter(({ object }) => !told.has(object));
  return {
    repaired: [...repaired.map((finding) => done.actions.get(finding.object) ?? finding), ...more],
    remaining: after.findings,
    notes: [...new Set([...done.notes, ...after.notes])],
  };
}

interface Done {
  /** What became of an object, where that is known better than beforehand. */
  readonly actions: ReadonlyMap<string, PoolFinding>;
  /** What nobody had found, and is better now. */
  readonly more: readonly PoolFinding[];
  readonly notes: readonly string[];
}

async function repairServed({ served, paths, spec }: CareTarget, options: RepairOptions): Promise<Done> {
  if (served === undefined) throw new TypeError('not in service');
  // Allocates what of its files is missing, and takes in what is new of its devices.
  if (spec.place.kind === 'file') await served.driver.grow?.({ dataBytes: (await stat(paths.data)).size });
  const { devices, freedIds }: RepairReport = await served.device.repair(options);
  const settled = devices.filter(({ outcome }) => outcome !== 'faulty' && outcome !== 'waiting');
  const actions = settled.map(({ name, from, outcome, reason }): [string, PoolFinding] => {
    const what = `it was ${from}${reason === undefined ? '' : `: ${reason}`}`;
    return [`device ${name}`, { object: `device ${name}`, what, repairable: true, action: outcome }];
  });
  const more = freedIds.map((id) => ({
    ...{ object: `id ${id}`, what: 'it was set aside', repairable: true },
    action: 'it can be given out again',
  }));
  return { actions: new Map(actions), more, notes: [] };
}

async function repairUnserved(target: CareTarget): Promise<Done> {
  const place = placeOf(target);
  if (place !== undefined) {
    const { notes } = await repairPlace(place, target.metadata.transaction);
    return { actions: new Map(), more: [], notes };
  }
  const { problem, saved } = await repairDeviceMapperPool(maintenanceOf(target), repairDirectory(target));
  const notes = saved === undefined ? [] : [`the damaged metadata are kept in ${saved}`];
  const what = problem ?? 'the kernel wanted them checked';
  const more =
    problem === undefined ? [] : [{ object: 'metadata', what, repairable: true, action: 'made whole by thin_repair' }];
  return { actions: new Map(more.map((finding) => [finding.object, finding])), more: [], notes };
}
