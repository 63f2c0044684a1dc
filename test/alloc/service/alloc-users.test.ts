import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AllocPlaces, findAllocUsers } from '../../../src/alloc/service/alloc-users.ts';

const PLACES: AllocPlaces = {
  id: 'a1',
  visiblePath: '/run/d/mnt/allocs',
  otherPaths: ['/run/d/secrets/a1', '/run/d/private/a1'],
};
const row = (id: number, parent: number, device: string, root: string, place: string, type = 'fuse.dunnage'): string =>
  `${id} ${parent} ${device} ${root} ${place} rw shared:1 - ${type} dunnage rw`;
const TREE = [
  row(1, 1, '8:1', '/', '/', 'ext4'),
  row(20, 1, '0:50', '/', '/run/d/mnt'),
  row(21, 20, '0:53', '/', '/run/d/mnt/allocs'),
  row(22, 1, '0:60', '/', '/run/d/secrets/a1/web', 'tmpfs'),
  row(23, 21, '0:60', '/', '/run/d/mnt/allocs/a1/web/secrets', 'tmpfs'),
  row(24, 21, '0:53', '/a1/alloc', '/run/d/mnt/allocs/a1/web/alloc'),
];

interface FakeProcess {
  readonly pid: number;
  readonly namespace?: string;
  readonly mounts?: readonly string[];
  readonly links?: Readonly<Record<string, string>>;
  readonly maps?: string;
}

/** A /proc with those processes; `self` is the daemon's. */
function makeProc(t: TestContext, own: readonly string[], processes: readonly FakeProcess[]): string {
  const proc = mkdtempSync(join(tmpdir(), 'alloc-users-'));
  t.after(() => rmSync(proc, { recursive: true, force: true }));
  const add = (
    name: string,
    { namespace = 'mnt:[1]', mounts = own, links = {}, maps = '' }: Omit<FakeProcess, 'pid'>,
  ) => {
    const folder = join(proc, name);
    mkdirSync(join(folder, 'ns'), { recursive: true });
    mkdirSync(join(folder, 'fd'));
    symlinkSync(namespace, join(folder, 'ns/mnt'));
    writeFileSync(join(folder, 'mountinfo'), `${mounts.join('\n')}\n`);
    writeFileSync(join(folder, 'comm'), `program-${name}\n`);
    writeFileSync(join(folder, 'maps'), maps);
    for (const [link, target] of Object.entries(links)) symlinkSync(target, join(folder, link));
  };
  add('self', {});
  for (const { pid, ...process } of processes) add(String(pid), process);
  return proc;
}

test('nobody uses an alloc that only the tree itself shows, and a copy of the tree in another namespace is no use', async (t) => {
  const copied = TREE.map((line) => line.replace(/^(\d)/, '9$1').replace(/ (\d+) /, ' 9$1 '));
  const elsewhere = [
    row(1, 1, '8:1', '/', '/', 'ext4'),
    row(5, 1, '0:53', '/', '/srv/tree'),
    row(6, 5, '0:60', '/', '/srv/tree/a1/web/secrets', 'tmpfs'),
  ];
  const proc = makeProc(t, TREE, [
    { pid: 2_000_001, links: { cwd: '/' } },
    { pid: 2_000_002, namespace: 'mnt:[2]', mounts: copied },
    { pid: 2_000_003, namespace: 'mnt:[3]', mounts: elsewhere },
  ]);
  assert.deepEqual(await findAllocUsers(PLACES, proc), []);
});

test('open files, directories, roots, programs and mappings of the alloc are told, once for each process', async (t) => {
  const below = '/run/d/mnt/allocs/a1/web';
  const proc = makeProc(t, TREE, [
    { pid: 2_000_001, links: { 'fd/3': `${below}/local/x`, 'fd/4': `${below}/local/y` } },
    { pid: 2_000_002, links: { cwd: below } },
    { pid: 2_000_003, links: { root: below } },
    { pid: 2_000_004, links: { exe: `${below}/local/bin (deleted)` } },
    { pid: 2_000_005, maps: `7f00-7f01 r--p 0 00:35 7 ${below}/local/lib.so\n` },
    { pid: 2_000_006, links: { 'fd/0': '/run/d/secrets/a1/web/key' } },
    { pid: 2_000_007, links: { 'fd/0': '/run/d/mnt/allocs/a10/web/local/x', cwd: '/run/d/mnt/allocs' } },
  ]);
  assert.deepEqual((await findAllocUsers(PLACES, proc)).toSorted(), [
    `pid 2000001 (program-2000001) has ${below}/local/x open`,
    `pid 2000002 (program-2000002) is in the directory ${below}`,
    `pid 2000003 (program-2000003) has ${below} as its root`,
    `pid 2000004 (program-2000004) runs ${below}/local/bin (deleted)`,
    'pid 2000005 (program-2000005) has a file below /run/d/mnt/allocs/a1 mapped',
    'pid 2000006 (program-2000006) has /run/d/secrets/a1/web/key open',
  ]);
});

test('bind mounts are told: on the host, and of each other mount namespace once', async (t) => {
  const own = [...TREE, row(40, 1, '0:53', '/a1/web', '/srv/web')];
  const inside = [row(1, 1, '0:77', '/', '/', 'overlay'), row(2, 1, '0:53', '/a1/web/local', '/local')];
  const memory = [row(1, 1, '0:78', '/', '/', 'overlay'), row(2, 1, '0:60', '/', '/secrets', 'tmpfs')];
  const other = [row(1, 1, '0:79', '/', '/', 'overlay'), row(2, 1, '0:53', '/a10/web/local', '/local')];
  const proc = makeProc(t, own, [
    { pid: 2_000_001, namespace: 'mnt:[2]', mounts: inside },
    { pid: 2_000_002, namespace: 'mnt:[2]', mounts: inside },
    { pid: 2_000_003, namespace: 'mnt:[3]', mounts: memory },
    { pid: 2_000_004, namespace: 'mnt:[4]', mounts: other },
  ]);
  const [host, ...rest] = await findAllocUsers(PLACES, proc);
  assert.equal(host, 'the host has it mounted at /srv/web');
  assert.equal(rest.length, 2);
  assert.match(rest.join(), /pid 200000[12] \(program-200000[12]\) has it mounted at \/local in its mount namespace/);
  assert.match(rest.join(), /pid 2000003 \(program-2000003\) has it mounted at \/secrets in its mount namespace/);
});

test('without a tree there is nobody, and what is unreadable in /proc is passed over', async (t) => {
  const proc = makeProc(t, [row(1, 1, '8:1', '/', '/', 'ext4')], [{ pid: 2_000_001 }]);
  mkdirSync(join(proc, '2000009'));
  assert.deepEqual(await findAllocUsers(PLACES, proc), []);
});
