import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPool, formatPools } from '../../../src/cli/output/pool-tables.ts';
import type { PoolSummary } from '../../../src/server/pool-operations.ts';
import { exampleDevice, examplePool, FakePools } from '../../server/fake-pools.ts';

const NOW_MS = 1_700_000_000_000 + 3_600_000;
const plain = { paint: (_: unknown, text: string) => text };
const GIB = 1024 ** 3;

async function summaries(...pools: ReturnType<typeof examplePool>[]): Promise<readonly PoolSummary[]> {
  const fake = new FakePools();
  fake.pools.push(...pools);
  return await fake.listPools();
}

test('a list of pools, with what is wrong below', async () => {
  const empty = { usedBytes: 0, totalBytes: 0 };
  const broken = examplePool({ name: 'old', state: 'broken', reason: '/dev/sdb1 is gone', data: empty, devices: [] });
  const warned = examplePool({ warnings: ['it lies in a file'] });
  assert.equal(
    formatPools(await summaries(warned, { ...broken, promisedBytes: 0 }), NOW_MS, plain),
    'NAME   DRIVER    STATE      USED      SIZE   USE%   PROMISED   DEVICES   AGE   PLACE\n' +
      'fast   reflink   ready    12 GiB   100 GiB    12%     20 GiB         2    1h   /mnt/xfs/pool\n' +
      'old    reflink   broken        -         -      -        0 B         0    1h   /mnt/xfs/pool\n' +
      '\nwarning: pool/fast: it lies in a file\nerror: pool/old: /dev/sdb1 is gone\n',
  );
});

test('one pool: data, promised against real, devices with own and shared bytes', () => {
  assert.equal(
    formatPool(examplePool(), plain),
    `Pool:         fast
Driver:       reflink
State:        ready
Place:        /mnt/xfs/pool
Data:         12 GiB of 100 GiB (12%)
Metadata:     within the data
Promised:     20 GiB of 98 GiB, every device can fill up
Overcommit:   not allowed
Devices:      2
Changes:      17

DEVICE   ID   STATE           SIZE       OWN    SHARED   SNAPSHOT OF   PATH
web       1   Activated     10 GiB   1.5 GiB   512 MiB   -             /run/dunnage/dev/fast-web
before    2   Deactivated   10 GiB       0 B   512 MiB   web           -
`,
  );
});

test('a full, overcommitted pool of the device-mapper says so in its first lines', () => {
  const text = formatPool(
    examplePool({
      driver: 'devicemapper',
      metadata: { usedBytes: 1, totalBytes: 16 * 1024 * 1024 },
      promisedBytes: 200 * GIB,
      overcommit: { allowed: true, highWaterMark: 90 },
      ...{ writersStopped: true, lowWater: true, needsCheck: true, isReadOnly: true },
      devices: [{ ...exampleDevice('web'), state: 'Faulty', error: 'no \u001b[2J such id' }],
      warnings: ['writers wait: make room'],
    }),
    plain,
  );
  assert.match(text, /^State: +ready, WRITERS WAIT FOR ROOM, READ-ONLY, WANTS A CHECK$/m);
  assert.match(text, /^Metadata: +1 B of 16 MiB \(1%\)$/m);
  assert.match(text, /^Promised: +200 GiB of 98 GiB: 102 GiB more than there is$/m);
  assert.match(text, /^Overcommit: +allowed; at 90% writers wait/m);
  assert.match(text, /\n\nerror: device web: no \\x1b\[2J such id\nwarning: writers wait: make room\n$/);
  assert.match(formatPool(examplePool({ lowWater: true }), plain), /^State: +ready, low on space$/m);
});

test('a broken pool tells why; without devices there is no table', () => {
  const text = formatPool(
    examplePool({ state: 'broken', reason: '/dev/sdb1 is gone', devices: [], data: { usedBytes: 0, totalBytes: 0 } }),
    plain,
  );
  assert.match(text, /^Data: +not known/m);
  assert.match(text, /^State: +broken$/m);
  assert.match(text, /\n\nerror: \/dev\/sdb1 is gone\n$/);
  assert.doesNotMatch(text, /DEVICE|every device/);
  const { path: _, ...device } = { ...exampleDevice('web'), active: false };
  const mapper = examplePool({ driver: 'devicemapper', state: 'broken', reason: 'mount:\n  no', devices: [device] });
  assert.match(formatPool(mapper, plain), /^Metadata: +not known/m);
  assert.match(formatPool(mapper, plain), /^web +1 +Activated, not there +10 GiB .* -$/m);
  assert.match(formatPool(mapper, plain), /^error: mount: no$/m);
});

test('what the warnings of the daemon say already is not said again', async () => {
  const [reason, error] = ['/dev/sdb1 is gone', 'no such id'];
  const warnings = [`pool fast is broken: ${reason}`, `device web is Faulty: ${error}; dunnage pool repair fast`];
  const pool = examplePool({ state: 'broken', reason, devices: [{ ...exampleDevice('web'), error }], warnings });
  const list = formatPools(await summaries(pool), NOW_MS, plain);
  for (const text of [list, formatPool(pool, plain)]) {
    assert.equal(text.split(reason).length, 2, text);
    assert.equal(text.split(error).length, 2, text);
    assert.match(text, /^warning: pool fast is broken/m);
  }
});
