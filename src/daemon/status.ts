/** What `dunnage status` says about the connections. */
import type { NegotiatedRecord } from '../fuse/init.ts';
import type { ConnectionStatus } from '../server/operations.ts';
import { allocsPath, auditedPath, projectionsPath } from '../tree/places.ts';
import type { ConnectionName, ConnectionStatistics } from './fuse-messages.ts';

const PLACES: Readonly<Record<ConnectionName, (mountPoint: string) => string>> = {
  root: (mountPoint) => mountPoint,
  projections: projectionsPath,
  audited: auditedPath,
  allocs: allocsPath,
};

export function describeConnections(
  mountPoint: string,
  records: ReadonlyMap<ConnectionName, NegotiatedRecord>,
  statistics: readonly ConnectionStatistics[],
  /** Protocol of a connection without a record. */
  unrecorded = 'unknown',
): ConnectionStatus[] {
  return statistics.map(({ name, requests, unanswered, failedNotifications }) => {
    const record = records.get(name);
    return {
      name,
      mountPoint: PLACES[name](mountPoint),
      protocol: record === undefined ? unrecorded : `${record.major}.${record.minor}`,
      features: record?.features ?? [],
      requests,
      unanswered,
      failedNotifications,
    };
  });
}
