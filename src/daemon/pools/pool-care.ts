/** Check and repair of a pool, as reports for the control API. */
import type { PoolCheckReport, PoolFinding, PoolRepairOptions } from '../../server/pool-operations.ts';
import type { PoolMetadata } from '../../thinpool/pool-metadata.ts';
import { driverOf, type PoolSpec } from '../../thinpool/pool-spec.ts';
import type { PoolService } from '../../thinpool/service/pool-service.ts';
import type { ServedPool } from '../../thinpool/service/served-pool.ts';
import type { Settled } from '../../thinpool/settle.ts';

export async function checkPool(service: PoolService, name: string): Promise<PoolCheckReport> {
  const { spec, metadata, figures } = await service.view(name);
  if (figures === undefined) return report(spec, false, [], [outOfService(service, name)]);
  return report(spec, false, [], await service.withPool(name, (served) => findingsOf(served, metadata)));
}

export async function repairPool(
  service: PoolService,
  name: string,
  options: PoolRepairOptions,
): Promise<PoolCheckReport> {
  const repaired: PoolFinding[] = [];
  const before = service.get(name);
  const { spec, metadata } = await service.repair(name, async (view, served) => {
    if (served !== undefined) repaired.push(...(await repairServed(served, options)));
    return view;
  });
  const { state } = service.get(name);
  if (state !== 'ready') return report(spec, true, repaired, [outOfService(service, name)]);
  if (before.state === 'broken') {
    const what = `it was not in service: ${before.reason}`;
    repaired.push({ object: 'pool', what, repairable: true, action: 'it is in service again' });
  }
  return report(spec, true, repaired, await service.withPool(name, (served) => findingsOf(served, metadata)));
}

async function repairServed(served: ServedPool, options: PoolRepairOptions): Promise<readonly PoolFinding[]> {
  const { devices, freedIds } = await served.device.repair(options);
  return [
    ...devices.filter(({ outcome }) => outcome !== 'faulty').map(settledFinding),
    ...freedIds.map((id) => ({
      ...{ object: `id ${id}`, what: 'it was set aside', repairable: true },
      action: 'it can be given out again',
    })),
  ];
}

function settledFinding({ name, outcome, from }: Settled): PoolFinding {
  return { object: `device ${name}`, what: `it was Faulty, ${from} before`, repairable: true, action: outcome };
}

/** What is wrong with a pool in service, as its records and the driver tell it. */
async function findingsOf(served: ServedPool, metadata: PoolMetadata): Promise<readonly PoolFinding[]> {
  const reality = await served.reality();
  const { isReadOnly, needsCheck } = await served.driver.status();
  const records = [...metadata.walkDevices()];
  const known = new Set(records.map(({ deviceId }) => deviceId));
  return [
    ...(isReadOnly || needsCheck
      ? [
          {
            object: 'pool',
            what: isReadOnly ? 'it is read-only' : 'it wants to be checked',
            repairable: true,
            action: 'repair it',
          },
        ]
      : []),
    ...records
      .filter(({ state }) => state === 'Faulty')
      .map(({ name, error }) => ({
        ...{
          object: `device ${name}`,
          what: `it is Faulty: ${error}`,
          repairable: reality.has(metadata.getDevice(name).deviceId),
        },
        action: 'a repair tries again; otherwise remove it',
      })),
    ...[...reality.keys()]
      .filter((id) => !known.has(id))
      .map((id) => ({
        ...{ object: `id ${id}`, what: 'the pool has a device that no record names', repairable: true },
        action: `dunnage pool repair ${metadata.pool} --delete-unknown removes it, with its content`,
      })),
  ];
}

function outOfService(service: PoolService, name: string): PoolFinding {
  const { state, reason } = service.get(name);
  const what = `it is not in service: ${reason ?? state}`;
  return { object: 'pool', what, repairable: true, action: 'mend what keeps it from that; a repair tries again' };
}

function report(
  spec: PoolSpec,
  repair: boolean,
  repaired: readonly PoolFinding[],
  remaining: readonly PoolFinding[],
): PoolCheckReport {
  const left = repair ? 'unrepaired' : 'found';
  const done = repaired.length > 0 ? 'repaired' : 'clean';
  const outcome = remaining.length > 0 ? left : done;
  return { name: spec.name, driver: driverOf(spec), repair, outcome, repaired, remaining, notes: [] };
}
