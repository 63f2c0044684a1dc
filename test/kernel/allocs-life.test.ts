/** The life of allocs: made, used, taken over, restarted, rebooted, deleted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import {
  allocManifest,
  backing,
  deleteAllocs,
  inAlloc,
  mountsOf,
  mountsOfAlloc,
  reboot,
  startHolding,
  untilGone,
} from './helpers/alloc-daemon.ts';
import { killDaemon, startDaemon } from './helpers/projected.ts';

const run = promisify(execFile);
const WEB = { name: 'web' };
const LOG = { name: 'log', isolation: 'chroot', chroot: { '/etc/ssl': '/etc/ssl' } };
const MOUNTS_OF_BOTH = [
  ...['(private) log', '(private) web', '(secrets) log', '(secrets) web'],
  ...['log/alloc', 'log/alloc/logs', 'log/etc/ssl', 'log/secrets', 'web/secrets'],
];

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
afterEach(() => deleteAllocs(daemon));
after(() => daemon.stop());

describe('an alloc', () => {
  it('[S160] has its directories and mounts when apply returns, and shows what is written where it really is', async () => {
    const [result] = await daemon.client.apply(allocManifest('a1', WEB, LOG));
    assert.deepEqual([result?.kind, result?.action], ['Alloc', 'created']);
    assert.deepEqual((await readdir(inAlloc(daemon, 'a1'))).toSorted(), ['alloc', 'log', 'web']);
    assert.deepEqual(await mountsOfAlloc(daemon, 'a1'), MOUNTS_OF_BOTH);
    await writeFile(inAlloc(daemon, 'a1/alloc/data/f'), 'data');
    assert.equal(await readFile(backing(daemon, 'a1/alloc/data/f'), 'utf8'), 'data');
    assert.equal(await readFile(inAlloc(daemon, 'a1/log/alloc/data/f'), 'utf8'), 'data');
    await writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'secret');
    assert.deepEqual(await readdir(backing(daemon, 'a1/web/secrets')), []);
    const [mount] = (await mountsOf(daemon)).filter(({ mountPoint }) => mountPoint === inAlloc(daemon));
    for (const option of ['rw', 'nosuid', 'nodev']) assert.ok(mount?.options.includes(option), option);
    assert.notEqual(mount?.sharedGroup, undefined);
  });

  it('shows the newest log under a name that stays', async () => {
    await daemon.client.apply(allocManifest('a1', WEB));
    const logs = inAlloc(daemon, 'a1/alloc/logs');
    await writeFile(join(logs, 'web.stdout.0'), 'first');
    const shows = async (text: string): Promise<boolean> =>
      (await readFile(join(logs, 'web.stdout'), 'utf8').catch(() => '')) === text;
    await until('the first log', () => shows('first'));
    await writeFile(join(logs, 'web.stdout.1'), 'second');
    await until('the second log', () => shows('second'));
  });

  it('df on a bind mount of it shows the disk it lies on', async () => {
    await daemon.client.apply(allocManifest('a1', WEB));
    const place = join(daemon.folder, 'elsewhere');
    await run('mkdir', [place]);
    await run('mount', ['--bind', inAlloc(daemon, 'a1/web'), place]);
    try {
      const [shown, disk] = [await statfs(place), await statfs(daemon.stateDir)];
      assert.deepEqual([shown.blocks * shown.bsize, shown.files], [disk.blocks * disk.bsize, disk.files]);
      const { stdout } = await run('df', ['--output=fstype,target', place]);
      assert.match(stdout, /^fuse\.dunnage +\S+\/elsewhere$/m);
    } finally {
      await run('umount', [place]);
    }
  });

  it('[S161] goes on with everything that is open in it when the daemon is killed and another takes over', async () => {
    await daemon.client.apply(allocManifest('a1', WEB, LOG));
    const path = inAlloc(daemon, 'a1/web/local/f');
    const file = await open(path, 'w+');
    await file.write('before ');
    await writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'secret');
    const { ino } = await stat(path);
    await killDaemon(daemon);
    const written = file.write('after');
    await daemon.up();
    await written;
    await file.close();
    assert.equal(await readFile(path, 'utf8'), 'before after');
    assert.equal((await stat(path)).ino, ino);
    assert.equal(await readFile(inAlloc(daemon, 'a1/web/secrets/key'), 'utf8'), 'secret');
    assert.deepEqual(await mountsOfAlloc(daemon, 'a1'), MOUNTS_OF_BOTH);
    const { state, notes } = await daemon.client.getAlloc('a1');
    assert.deepEqual([state, notes], ['ready', []]);
    assert.deepEqual((await daemon.client.status()).warnings, []);
  });

  it('[S161] is mounted again after a reboot, with its data; that its secrets are gone is said until it is applied again', async () => {
    await daemon.client.apply(allocManifest('a1', WEB, LOG));
    await writeFile(inAlloc(daemon, 'a1/alloc/data/f'), 'data');
    await writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'secret');
    await reboot(daemon);
    await daemon.up();
    assert.equal(await readFile(inAlloc(daemon, 'a1/alloc/data/f'), 'utf8'), 'data');
    assert.deepEqual(await mountsOfAlloc(daemon, 'a1'), MOUNTS_OF_BOTH);
    assert.deepEqual(await readdir(inAlloc(daemon, 'a1/web/secrets')), []);
    assert.match((await daemon.client.status()).warnings.join(), /alloc a1: secrets of (web, log|log, web) are empty/);
    const [result] = await daemon.client.apply(allocManifest('a1', WEB, LOG));
    assert.equal(result?.action, 'configured');
    assert.deepEqual((await daemon.client.status()).warnings, []);
  });

  it('comes back after down and up', async () => {
    await daemon.client.apply(allocManifest('a1', WEB, LOG));
    await writeFile(inAlloc(daemon, 'a1/alloc/data/f'), 'data');
    await daemon.dunnage('down');
    assert.deepEqual(await mountsOf(daemon), []);
    await daemon.up();
    assert.equal(await readFile(inAlloc(daemon, 'a1/alloc/data/f'), 'utf8'), 'data');
    assert.deepEqual(await mountsOfAlloc(daemon, 'a1'), MOUNTS_OF_BOTH);
  });

  it('a mount that somebody took away is there again after a restart', async () => {
    await daemon.client.apply(allocManifest('a1', WEB, LOG));
    await run('umount', [inAlloc(daemon, 'a1/web/secrets')]);
    await run('umount', [inAlloc(daemon, 'a1/log/etc/ssl')]);
    await assert.rejects(writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'on disk'), /EROFS|EACCES/);
    await killDaemon(daemon);
    await daemon.up();
    assert.deepEqual(await mountsOfAlloc(daemon, 'a1'), MOUNTS_OF_BOTH);
  });

  it('[S156] what is left of an earlier one and cannot be removed stops neither the start nor an alloc, and is said', async () => {
    await daemon.client.apply(allocManifest('a1', WEB));
    await daemon.dunnage('down');
    const staging = join(daemon.stateDir, 'allocs/staging');
    await run('mkdir', ['-p', join(staging, 'deleted-0/m'), join(staging, 'deleted-1/x')]);
    await run('mount', ['-t', 'tmpfs', 'none', join(staging, 'deleted-0/m')]);
    try {
      await daemon.up();
      assert.equal((await daemon.client.getAlloc('a1')).state, 'ready');
      await until('the warning', async () => /left over/.test((await daemon.client.status()).warnings.join()));
      assert.match((await daemon.client.status()).warnings.join(), /staging\/deleted-0 is left over: .*findmnt/);
      assert.deepEqual(await readdir(staging), ['deleted-0']);
    } finally {
      await run('umount', [join(staging, 'deleted-0/m')]);
    }
    await killDaemon(daemon);
    await daemon.up();
    await until('what is left over to be removed', async () => (await readdir(staging)).length === 0);
    assert.doesNotMatch((await daemon.client.status()).warnings.join(), /left over/);
  });

  it('[S161] a broken one says why, stops neither the start nor another one, and is mended by its manifest', async () => {
    await daemon.client.apply(allocManifest('a1', WEB));
    await daemon.client.apply(allocManifest('a2', WEB));
    await daemon.dunnage('down');
    await rename(backing(daemon, 'a1/web'), backing(daemon, 'a1/moved'));
    await writeFile(backing(daemon, 'a1/web'), 'in the way');
    await daemon.up();
    const [broken, whole] = [await daemon.client.getAlloc('a1'), await daemon.client.getAlloc('a2')];
    assert.deepEqual([broken.state, whole.state], ['broken', 'ready']);
    assert.match(broken.notes.join(), /^broken: .*web/);
    assert.match((await daemon.client.status()).warnings.join(), /alloc a1 is broken: /);
    await run('rm', [backing(daemon, 'a1/web')]);
    await rename(backing(daemon, 'a1/moved'), backing(daemon, 'a1/web'));
    await daemon.client.apply(allocManifest('a1', WEB));
    assert.equal((await daemon.client.getAlloc('a1')).state, 'ready');
    assert.ok((await mountsOfAlloc(daemon, 'a1')).includes('web/secrets'));
  });

  it('two are made and deleted side by side', async () => {
    const ids = ['a1', 'a2', 'a3', 'a4'];
    await Promise.all(ids.map((id) => daemon.client.apply(allocManifest(id, WEB, LOG))));
    for (const id of ids) assert.deepEqual(await mountsOfAlloc(daemon, id), MOUNTS_OF_BOTH);
    await Promise.all(ids.map((id) => daemon.client.deleteAlloc(id)));
    assert.deepEqual(await readdir(inAlloc(daemon)), []);
    assert.equal((await mountsOf(daemon)).length, 4);
  });
});

/** Nothing of any alloc: no mount, no directory, no record. */
async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(await daemon.client.listAllocs(), []);
  assert.equal((await mountsOf(daemon)).length, 4);
  for (const place of ['tree', 'staging']) {
    assert.deepEqual(await readdir(join(daemon.stateDir, 'allocs', place)), [], place);
  }
  for (const place of ['secrets', 'private', 'task-mounts']) {
    const path = join(daemon.runtimeDir, place);
    if (existsSync(path)) assert.deepEqual(await readdir(path), [], place);
  }
  assert.deepEqual(await readdir(inAlloc(daemon)), []);
}

describe('deletion', () => {
  it('[S162] of an alloc that nobody uses leaves nothing when it returns', async () => {
    await daemon.client.apply(allocManifest('a1', WEB, LOG));
    await writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'secret');
    await run('sh', ['-c', 'mkdir -p "$0/x/y"; chmod 0 "$0/x/y"; ln -s / "$0/root"', inAlloc(daemon, 'a1/web/local')]);
    assert.deepEqual(await daemon.client.deleteAlloc('a1'), { id: 'a1', deleted: true, awaiting: [] });
    await assertNothingLeft();
  });

  const holders: readonly (readonly [what: string, said: RegExp, program: string, ...args: string[]])[] = [
    ['an open file', /has \S+\/alloc\/data\/f open/, 'sh', '-c', 'exec 3<"$0/alloc/data/f"; echo in; sleep 100 & wait'],
    [
      'a working directory',
      /is in the directory \S+\/web\/local/,
      'sh',
      '-c',
      'cd "$0/web/local"; echo in; sleep 100 & wait',
    ],
    [
      'an open secret',
      /has \S+\/secrets\/key open/,
      'sh',
      '-c',
      'exec 3<"$0/web/secrets/key"; echo in; sleep 100 & wait',
    ],
    [
      'a bind mount in another mount namespace',
      /has it mounted at \/mnt in its mount namespace/,
      ...['unshare', '--mount', 'sh', '-c', 'mount --bind "$0/web" /mnt; echo in; sleep 100 & wait'],
    ] as const,
  ];
  for (const [what, said, program, ...args] of holders) {
    it(`[S162] waits for ${what}, says whose it is, leaves it whole, and goes on when that ends`, async (t) => {
      await daemon.client.apply(allocManifest('a1', WEB));
      await writeFile(inAlloc(daemon, 'a1/alloc/data/f'), 'data');
      await writeFile(inAlloc(daemon, 'a1/web/secrets/key'), 'secret');
      const holder = await startHolding(t, program, ...args, inAlloc(daemon, 'a1'));
      const { deleted, awaiting } = await daemon.client.deleteAlloc('a1');
      assert.equal(deleted, false);
      assert.match(awaiting.join(), said);
      assert.ok(awaiting.some((line) => line.includes(`pid ${holder.pid} `) || /pid \d+ \((sleep|sh)\)/.test(line)));
      assert.equal(await readFile(inAlloc(daemon, 'a1/alloc/data/f'), 'utf8'), 'data');
      assert.equal(await readFile(inAlloc(daemon, 'a1/web/secrets/key'), 'utf8'), 'secret');
      assert.match((await daemon.client.status()).warnings.join(), /alloc a1 is being deleted, and waits/);
      await run('pkill', ['-9', '-P', String(holder.pid)]).catch(() => undefined);
      await holder.end();
      await untilGone(daemon, 'a1');
      await assertNothingLeft();
    });
  }

  it('[S162] waits over a restart, and is finished by the next daemon', async (t) => {
    await daemon.client.apply(allocManifest('a1', WEB));
    const program = 'exec 3>"$0/web/local/f"; echo in; exec sleep 100';
    const holder = await startHolding(t, 'sh', '-c', program, inAlloc(daemon, 'a1'));
    assert.equal((await daemon.client.deleteAlloc('a1')).deleted, false);
    await killDaemon(daemon);
    await daemon.up();
    const { state, notes } = await daemon.client.getAlloc('a1');
    assert.equal(state, 'deleting');
    assert.match(notes.join(), new RegExp(`deletion waits: pid ${holder.pid} \\(sleep\\) has`));
    await assert.rejects(daemon.client.apply(allocManifest('a1', WEB)), { code: 'BUSY' });
    await holder.end();
    await untilGone(daemon, 'a1');
    await assertNothingLeft();
    await daemon.client.apply(allocManifest('a1', WEB));
    assert.ok(statSync(inAlloc(daemon, 'a1/web')).isDirectory());
  });

  it('takes along a mount that somebody else made in the alloc, when nobody uses it any more', async (t) => {
    await daemon.client.apply(allocManifest('a1', WEB));
    const place = inAlloc(daemon, 'a1/web/local');
    await run('mount', ['-t', 'tmpfs', 'none', place]);
    const holder = await startHolding(t, 'sh', '-c', 'exec 3>"$0/f"; echo in; exec sleep 100', place);
    const { awaiting } = await daemon.client.deleteAlloc('a1');
    assert.match(awaiting.join(), /\(sleep\) has \S+\/a1\/web\/local\/f open/);
    await holder.end();
    await untilGone(daemon, 'a1');
    await assertNothingLeft();
  });
});

it('a runtime directory that a symbolic link leads to has allocs as any other', async () => {
  const folder = await mkdtemp('/var/tmp/dunnage-linked-');
  await mkdir(join(folder, 'real'));
  await symlink('real', join(folder, 'link'));
  const linked = await DaemonProcess.start(join(folder, 'link'));
  try {
    await linked.client.apply(allocManifest('a1', WEB));
    assert.equal((await linked.client.getAlloc('a1')).state, 'ready');
    await writeFile(inAlloc(linked, 'a1/web/secrets/key'), 'secret');
    assert.deepEqual(await readdir(backing(linked, 'a1/web/secrets')), []);
  } finally {
    await linked.stop();
    await rm(folder, { recursive: true });
  }
});
