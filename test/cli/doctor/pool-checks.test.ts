import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome, Probes } from '../../../src/cli/doctor/check.ts';
import { poolChecks } from '../../../src/cli/doctor/pool-checks.ts';
import { FILES, goodHost, PLACES } from './good-host.ts';

async function check(name: string, changed: Partial<Probes>): Promise<Outcome> {
  const found = poolChecks.find((candidate) => candidate.name === name);
  assert.ok(found, `there is a check ${name}`);
  return found.run({ ...goodHost(), ...changed }, PLACES);
}

const lacks = (...names: string[]): Partial<Probes> => ({
  findProgram: async (name) => (names.includes(name) ? undefined : `/usr/bin/${name}`),
});
const device = (code: string): Partial<Probes> => ({ openDevice: async () => code });
const files = (changed: Readonly<Record<string, string | undefined>>): Partial<Probes> => ({
  readFile: async (path) => ({ ...FILES, ...changed })[path],
});
const noModules = files({ '/lib/modules/6.12.5/modules.dep': undefined });

const cases: readonly (readonly [check: string, changed: Partial<Probes>, detail: RegExp, remedy: RegExp])[] = [
  ['loop devices', device('ENOENT'), /no \/dev\/loop-control/, /loop devices\n.*--device \/dev\/loop-control/],
  [
    'loop devices',
    { ...device('ENXIO'), ...files({ '/lib/modules/6.12.5/modules.dep': 'kernel/drivers/block/loop.ko:\n' }) },
    /driver reflink/,
    /^modprobe loop/,
  ],
  ['loop devices', device('EPERM'), /EPERM/, /--privileged/],
  ['pool file systems', files({ '/proc/filesystems': '\text4\n' }), /neither XFS nor btrfs/, /driver devicemapper/],
  ['pool file systems', lacks('mkfs.xfs', 'xfs_repair'), /xfs, but .*neither be formatted/, /install xfsprogs/],
  ['pool file systems', lacks('xfs_repair'), /cannot be checked: xfs_repair missing/, /install xfsprogs/],
  ['device-mapper', device('ENOENT'), /not loaded/, /^modprobe dm-thin-pool$/],
  ['device-mapper', device('EPERM'), /EPERM/, /--privileged/],
  ['device-mapper', noModules, /thin-pool .* not found/, /modprobe dm-thin-pool/],
  [
    'thin-provisioning-tools',
    lacks('thin_check', 'thin_delta'),
    /thin_check, thin_delta missing/,
    /apt-get install .*thin-provisioning-tools/,
  ],
  ['write guard', lacks('systemd-run'), /ends with the daemon/, /systemd-run/],
];

for (const [name, changed, detail, remedy] of cases) {
  test(`${name}: ${detail.source} is a warning and says what mends it`, async () => {
    const outcome = await check(name, changed);
    assert.equal(outcome.verdict, 'warn');
    assert.match(outcome.detail, detail);
    assert.match(outcome.remedy?.join('\n') ?? '', remedy);
  });
}

test('what cannot be mended and is not needed is no warning', async () => {
  const without = { ...device('ENOENT'), ...noModules };
  assert.match((await check('device-mapper', without)).detail, /thin pools use the driver reflink/);
  const tools = await check('thin-provisioning-tools', { ...without, ...lacks('thin_check') });
  assert.deepEqual([tools.verdict, /not needed/.test(tools.detail)], ['ok', true]);
  const init = { ...files({ '/proc/1/comm': 'init\n' }), ...lacks('systemd-run') };
  assert.equal((await check('write guard', init)).verdict, 'ok');
  for (const { name } of poolChecks) {
    assert.equal((await check(name, { ...without, ...lacks('mkfs.xfs'), userId: 1000 })).verdict, 'ok', name);
  }
});

test('modules count that are loaded, built in, or can be loaded', async () => {
  const path = '/lib/modules/6.12.5/modules.builtin';
  for (const found of [
    { '/proc/modules': 'dm_thin_pool 81920 0 - Live 0x0\n' },
    { [path]: 'kernel/md/dm-thin-pool.ko\n' },
  ]) {
    const changed = files({ '/lib/modules/6.12.5/modules.dep': undefined, ...found });
    assert.equal((await check('device-mapper', changed)).verdict, 'ok');
  }
  const btrfs = files({ '/proc/filesystems': '', '/lib/modules/6.12.5/modules.dep': 'kernel/fs/btrfs/btrfs.ko: x\n' });
  assert.match((await check('pool file systems', btrfs)).detail, /on btrfs;/);
});
