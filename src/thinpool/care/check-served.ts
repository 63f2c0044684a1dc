/**
 * Check of a pool in service: its records against what the driver really has, and what only the driver can see. Nothing is changed.
 *
 * Devices come and go meanwhile: a difference that is gone at the second look was one of those.
 */
import type { DeviceInfo } from '../device-info.ts';
import { isInBetween } from '../device-states.ts';
import type { DriverDevice, PoolDriver } from '../driver.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { type Inspection, joined, type PoolFinding, WELL } from './pool-finding.ts';

export interface CheckedPool {
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
}

export async function checkServedPool(pool: CheckedPool): Promise<Inspection> {
  const first = await lookOnce(pool);
  if (first.findings.length === 0) return first;
  const second = await lookOnce(pool);
  const seen = new Set(first.findings.map(keyOf));
  return { findings: second.findings.filter((finding) => seen.has(keyOf(finding))), notes: second.notes };
}

/** Two findings of one key are the same thing, seen twice. */
export function keyOf({ object, what }: PoolFinding): string {
  return JSON.stringify([object, what]);
}

async function lookOnce({ driver, metadata }: CheckedPool): Promise<Inspection> {
  const [status, listed, transaction] = await Promise.all([
    driver.status(),
    driver.list(),
    driver.transaction().catch((error: unknown) => error as Error),
  ]);
  const records = [...metadata.walkDevices()];
  const reality = new Map(listed.map((device) => [device.id, device]));
  const expected = records.map(({ name, deviceId, sizeBytes }) => ({ name, id: deviceId, sizeBytes }));
  const ofDriver = (await driver.inspect?.(expected)) ?? WELL;
  const findings = [
    ...statusFindings(status),
    ...transactionFindings(transaction, metadata),
    ...records.flatMap((info) => deviceFindings(info, reality.get(info.deviceId))),
    ...unknownFindings(metadata, records, reality),
  ];
  return joined([{ findings, notes: [] }, ofDriver]);
}

function statusFindings({
  isReadOnly,
  needsCheck,
}: {
  readonly isReadOnly: boolean;
  readonly needsCheck: boolean;
}): readonly PoolFinding[] {
  const what = isReadOnly ? 'it takes no changes any more' : 'it found something wrong with itself';
  const action = 'deactivate its devices, and repair it then';
  return isReadOnly || needsCheck ? [{ object: 'pool', what, repairable: true, action }] : [];
}

function transactionFindings(transaction: number | Error, metadata: PoolMetadata): readonly PoolFinding[] {
  const object = 'number of the last change';
  if (typeof transaction !== 'number') {
    return [{ object, what: transaction.message, repairable: true, action: 'it is written anew, from the records' }];
  }
  if (transaction <= metadata.transaction) return [];
  const what = `the pool is at ${transaction} and the records at ${metadata.transaction}: they are older than the pool`;
  return [
    {
      object,
      what,
      repairable: false,
      action: 'put back the newest state directory; nothing is deleted on their word',
    },
  ];
}

/** What does not fit between a record and what the pool has. */
export function deviceFindings(info: DeviceInfo, there: DriverDevice | undefined): readonly PoolFinding[] {
  const { name, deviceId, state } = info;
  const finding = (what: string, repairable: boolean, action: string): readonly PoolFinding[] => [
    { object: `device ${name}`, what, repairable, action },
  ];
  if (state === 'Faulty') {
    const action = 'a repair tries again; otherwise remove it';
    return finding(`it is Faulty: ${info.error}`, there !== undefined, action);
  }
  if (isInBetween(state)) {
    return finding(`its operation was not finished (${state})`, true, 'it is finished or undone');
  }
  if (there === undefined) {
    if (state === 'Removed') return [];
    return finding(`the pool has nothing of the id ${deviceId}: its content is lost`, false, 'remove it');
  }
  if (there.isActive && there.name !== name) {
    const what = `it is active under another name: ${there.name ?? 'none'}`;
    return finding(what, false, 'deactivate that one');
  }
  if (isMeantActive(state) && !there.isActive)
    return finding('it is not active, and should be', true, 'it is activated');
  if (state !== 'Suspended' && there.isSuspended) {
    return finding('its writes wait, and nobody has asked for that', true, 'it is resumed');
  }
  return [];
}

function isMeantActive(state: DeviceInfo['state']): boolean {
  return state === 'Activated' || state === 'Resumed' || state === 'Suspended';
}

function unknownFindings(
  { pool }: Pick<PoolMetadata, 'pool'>,
  records: readonly DeviceInfo[],
  reality: ReadonlyMap<number, DriverDevice>,
): readonly PoolFinding[] {
  const known = new Set(records.map(({ deviceId }) => deviceId));
  const unknown = [...reality.keys()].filter((id) => !known.has(id));
  return unknown.map((id) => ({
    object: `id ${id}`,
    what: 'the pool has a device that no record names',
    repairable: true,
    action: `dunnage pool repair ${pool} --delete-unknown removes it, with its content`,
  }));
}
