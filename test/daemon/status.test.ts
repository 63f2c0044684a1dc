import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionName } from '../../src/daemon/fuse-messages.ts';
import { describeConnections } from '../../src/daemon/status.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';

const record: NegotiatedRecord = {
  format: 1,
  profile: 'projections',
  major: 7,
  minor: 45,
  kernelMinor: 45,
  features: ['NO_OPEN_SUPPORT', 'HAS_RESEND'],
  writeBytesMax: 1_048_576,
  readaheadBytesMax: 131_072,
};
const counts = { requests: 12, unanswered: 3, failedNotifications: 1 };

test('describeConnections: each connection with its mount point, protocol and counts', () => {
  const records = new Map<ConnectionName, NegotiatedRecord>([
    ['root', { ...record, minor: 38, features: [] }],
    ['projections', record],
  ]);
  const statistics = [
    { name: 'root', requests: 1, unanswered: 0, failedNotifications: 0 },
    { name: 'projections', ...counts },
  ] as const;
  assert.deepEqual(describeConnections('/mnt/tree', records, statistics), [
    {
      name: 'root',
      mountPoint: '/mnt/tree',
      protocol: '7.38',
      features: [],
      requests: 1,
      unanswered: 0,
      failedNotifications: 0,
    },
    {
      name: 'projections',
      mountPoint: '/mnt/tree/projections',
      protocol: '7.45',
      features: ['NO_OPEN_SUPPORT', 'HAS_RESEND'],
      ...counts,
    },
  ]);
});

test('describeConnections: what has no record has the protocol that is given', () => {
  const statistics = [{ name: 'projections', requests: 1, unanswered: 0, failedNotifications: 0 }] as const;
  assert.equal(describeConnections('/m', new Map(), statistics, 'libfuse 2')[0]?.protocol, 'libfuse 2');
});

test('describeConnections: a connection before its INIT says that its protocol is unknown', () => {
  const [connection] = describeConnections('/mnt', new Map(), [{ name: 'projections', ...counts }]);
  assert.deepEqual([connection?.protocol, connection?.features], ['unknown', []]);
});
