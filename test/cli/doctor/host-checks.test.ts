import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome, Probes } from '../../../src/cli/doctor/check.ts';
import { hostChecks, isAtLeast } from '../../../src/cli/doctor/host-checks.ts';
import { goodHost, PLACES } from './good-host.ts';

async function check(name: string, changed: Partial<Probes>): Promise<Outcome> {
  const found = hostChecks.find((candidate) => candidate.name === name);
  assert.ok(found, `there is a check ${name}`);
  return found.run({ ...goodHost(), ...changed }, PLACES);
}

test('a good host passes every check', async () => {
  for (const { name } of hostChecks) assert.equal((await check(name, {})).verdict, 'ok', name);
});

const cases: readonly (readonly [
  check: string,
  changed: Partial<Probes>,
  verdict: string,
  detail: RegExp,
  remedy: RegExp,
])[] = [
  ['node', { nodeVersion: 'v20.18.3' }, 'fail', /v20\.18\.3 is older than 20\.19/, /install Node/],
  ['kernel', { kernelRelease: '5.4.0-1' }, 'fail', /older than 5\.10/, /newer kernel/],
  ['kernel', { kernelRelease: '5.10.0' }, 'warn', /read-only/, /5\.12/],
  ['fuse device', { openDevice: async () => 'ENOENT' }, 'fail', /not loaded/, /modprobe fuse/],
  ['fuse device', { openDevice: async () => 'EPERM' }, 'fail', /no permission/, /--device \/dev\/fuse/],
  ['fuse device', { openDevice: async () => 'EIO' }, 'fail', /EIO/, /dmesg/],
  [
    'right to mount',
    { userId: 1000, findProgram: async () => undefined },
    'fail',
    /user 1000 needs fusermount3/,
    /apt-get install fuse3/,
  ],
  [
    'right to mount',
    { hasSysAdmin: async () => false, findProgram: async () => undefined },
    'fail',
    /root without CAP_SYS_ADMIN/,
    /fuse3/,
  ],
  ['other users', { userId: 1000 }, 'warn', /only this user/, /user_allow_other >> \/etc\/fuse\.conf/],
  [
    'other users',
    { userId: 1000, readFile: async () => '#user_allow_other\n' },
    'warn',
    /only this user/,
    /user_allow_other/,
  ],
  [
    'native parts',
    { loadNative: async () => ({ message: 'not built', remedy: 'npm run build' }) },
    'warn',
    /not built: only projections are served, through fuse-native/,
    /npm run build/,
  ],
  [
    'native parts',
    {
      loadNative: async () => ({ message: 'not built', remedy: 'npm run build' }),
      loadFuseNative: async () => ({ message: 'no libfuse.so.2', remedy: 'apt-get install libfuse2' }),
    },
    'fail',
    /not built; nor can fuse-native step in: no libfuse\.so\.2/,
    /npm run build[\s\S]*apt-get install libfuse2/,
  ],
  [
    'state directory',
    { writability: async () => ({ existing: '/var', writable: false }) },
    'fail',
    /\/var is no directory/,
    /--state-dir/,
  ],
  [
    'runtime directory',
    { writability: async () => ({ existing: '/run', writable: false }) },
    'fail',
    /\/run is no directory/,
    /--runtime-dir/,
  ],
  ['runtime directory', { isInMemory: async () => false }, 'warn', /not on a tmpfs/, /--runtime-dir/],
];

for (const [name, changed, verdict, detail, remedy] of cases) {
  test(`${name}: ${detail.source} is ${verdict} and says what mends it`, async () => {
    const outcome = await check(name, changed);
    assert.equal(outcome.verdict, verdict);
    assert.match(outcome.detail, detail);
    assert.match(outcome.remedy?.join('\n') ?? '', remedy);
  });
}

test('a user with fusermount3 and user_allow_other is fine, and so is root without CAP_SYS_ADMIN', async () => {
  const user: Partial<Probes> = { userId: 1000, readFile: async () => '# x\n  user_allow_other \n' };
  assert.equal((await check('right to mount', user)).verdict, 'ok');
  assert.equal((await check('other users', user)).verdict, 'ok');
  assert.equal((await check('right to mount', { hasSysAdmin: async () => false })).verdict, 'ok');
});

test('versions are compared as numbers', () => {
  assert.equal(isAtLeast('v20.19.0', [20, 19]), true);
  assert.equal(isAtLeast('22.0', [20, 19]), true);
  assert.equal(isAtLeast('5.9', [5, 10]), false);
  assert.equal(isAtLeast('10.0', [9, 99]), true);
  assert.equal(isAtLeast('unknown', [1, 0]), false);
});
