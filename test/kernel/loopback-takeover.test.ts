/** kill -9 of what serves alloc directories, while tenants work in them: the next daemon goes on, and no call fails. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Feature } from '../../src/fuse/abi.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { until } from '../tools/until.ts';
import { within } from './helpers/child-daemon.ts';
import { type DiskPlace, diskPlace } from './helpers/disk-place.ts';
import { LoopbackMount } from './helpers/loopback.ts';
import { begin, mountTestsSkip, run } from './helpers/run.ts';

const TENANT = fileURLToPath(new URL('./programs/alloc-tenant.js', import.meta.url));
const TENANTS = 3;
const KILLS = 4;
const TIMEOUT_MS = 30_000;
/**
 * A kernel that looks up the pages of a process the slow way only (no HAVE_FAST_GUP: of all kernels here user-mode Linux) takes none of one that
 * is being killed: a request that it copies just then gets EIO, and no daemon hears of it; a RELEASE is lost. There, one of several runs has
 * to be without, each on a mount of its own.
 */
const ATTEMPTS = readFileSync('/proc/cpuinfo', 'utf8').includes('User Mode Linux') ? 4 : 1;
const CLOSED = 'all files to be closed';
const isOfDyingDaemon = (failure: string): boolean => failure.includes(' EIO: ') || failure.endsWith(CLOSED);
const skip = mountTestsSkip();

/** Has no file handles, and passthrough refuses it: it is stacked itself. */
async function overlayPlace(): Promise<DiskPlace> {
  const disk = await diskPlace();
  const [lower, upper, work, directory] = ['lower', 'upper', 'work', 'merged'].map((name) =>
    join(disk.directory, name),
  );
  for (const path of [lower, upper, work, directory]) await mkdir(path as string);
  await run('mount', [
    ...['-t', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`],
    ...['overlay', directory as string],
  ]);
  return {
    directory: directory as string,
    stop: async () => {
      await run('umount', [directory as string]);
      await disk.stop();
    },
  };
}

const PLACES: readonly (readonly [string, readonly Feature[], () => Promise<DiskPlace>])[] = [
  ['as the kernel has it', [], diskPlace],
  ['where the kernel sends nothing again and has no passthrough', ['HAS_RESEND', 'PASSTHROUGH'], diskPlace],
  ['on a file system without file handles', [], overlayPlace],
];

for (const [how, without, place] of PLACES) {
  describe(`kill -9 of the daemon of alloc directories, ${how}`, skip === undefined ? {} : { skip }, () => {
    let disk: DiskPlace;
    let mount: LoopbackMount;
    const start = async (): Promise<void> => {
      disk = await place();
      mount = await LoopbackMount.make({ holder: true, without, disk: disk.directory });
    };
    const stop = async (): Promise<void> => {
      await mount.clean();
      await disk.stop();
    };
    before(start);
    after(stop);
    afterEach(() => emptyDirectory(mount));

    it('[S183] fails no call of the tenants, and does none of them twice', { timeout: 120_000 }, async () => {
      let failures = await workThroughKills(mount);
      for (let attempt = 1; attempt < ATTEMPTS && failures.some(isOfDyingDaemon); attempt += 1) {
        await stop();
        await start();
        failures = await workThroughKills(mount);
      }
      assert.deepEqual(failures, []);
      assert.equal((await mount.engine()).failedReplies, 0);
      await untilNoOrphans(mount);
    });

    it('[S183] keeps removed files that are open, and their content', async () => {
      const path = mount.path('removed');
      const file = await open(path, 'wx+');
      await file.write('first ');
      const { ino } = await file.stat();
      await unlink(path);
      assert.equal((await readdir(mount.orphans())).length, 1);
      await mount.kill();
      await mount.serve();
      await file.write('second');
      const { nlink, size, ino: after } = await file.stat();
      assert.deepEqual([nlink, size, after], [0, 12, ino]);
      const bytes = Buffer.alloc(20);
      assert.equal((await file.read(bytes, 0, 20, 0)).bytesRead, 12);
      assert.equal(bytes.toString('utf8', 0, 12), 'first second');
      await file.close();
      await untilNoOrphans(mount);
    });

    it('keeps seals, inode numbers, open files and listings', async () => {
      await mkdir(mount.path('sealed'));
      await mount.daemon.command('seal', { path: 'sealed' });
      await writeFile(mount.path('file'), 'content');
      const before = await stat(mount.path('file'));
      const file = await open(mount.path('file'), 'r+');
      await mount.kill();
      await mount.serve();
      await assert.rejects(mkdir(mount.path('sealed', 'x')), { code: 'EROFS' });
      await assert.rejects(rename(mount.path('file'), mount.path('sealed', 'file')), { code: 'EROFS' });
      await assert.rejects(rename(mount.path('sealed'), mount.path('moved')), { code: 'EBUSY' });
      await mount.daemon.command('unseal', { path: 'sealed' });
      await rename(mount.path('file'), mount.path('sealed', 'file'));
      assert.equal((await file.stat()).ino, before.ino);
      await file.write('CONTENT', 0);
      await file.close();
      assert.equal(await readFile(mount.path('sealed', 'file'), 'utf8'), 'CONTENT');
      assert.deepEqual(await readdir(mount.path('sealed')), ['file']);
    });
  });
}

/** Tenants work while the daemon is killed again and again. What they say of failed calls, and whether something stayed open. */
async function workThroughKills(mount: LoopbackMount): Promise<string[]> {
  const tenants = Array.from({ length: TENANTS }, (_, index) =>
    begin(process.execPath, [TENANT, mount.settings.mountPoint, String(index)]),
  );
  for (let kill = 0; kill < KILLS; kill += 1) {
    await untilServing(mount);
    await mount.kill();
    await mount.serve();
  }
  await untilServing(mount);
  for (const tenant of tenants) tenant.process.kill('SIGTERM');
  const failures: string[] = [];
  for (const tenant of tenants) {
    const { code, stdout, stderr } = await within(tenant.ended, TIMEOUT_MS, 'end of a tenant');
    if (code !== 0 || stderr !== '') failures.push(stderr || `exit code ${code}`);
    else assert.ok(Number(stdout) > 0);
  }
  // RELEASE comes a moment after close(2).
  await until(CLOSED, async () => (await mount.engine()).openFiles === 0, 5).catch(({ message }: Error) => {
    failures.push(message);
  });
  return failures;
}

async function emptyDirectory(mount: LoopbackMount): Promise<void> {
  for (const name of await readdir(mount.settings.mountPoint)) await rm(mount.path(name), { recursive: true });
}

/** The daemon has done some work: it is killed in the middle of it. */
async function untilServing(mount: LoopbackMount): Promise<void> {
  const served = async (): Promise<number> => {
    const { served: counts } = await mount.engine();
    return counts.reduce((sum, count) => sum + count, 0);
  };
  while ((await served()) < 2_000);
}

/** The kernel forgets nodes a moment after their last user is gone. */
async function untilNoOrphans(mount: LoopbackMount): Promise<void> {
  await until('the orphans to be removed', async () => (await readdir(mount.orphans())).length === 0);
}

for (const [how, place] of [
  ['with file handles', diskPlace],
  ['without', overlayPlace],
] as const) {
  describe(`seals on a file system ${how}`, skip === undefined ? {} : { skip }, () => {
    it('do not pass to a directory that is given the inode number of a removed one', async () => {
      const disk = await place();
      const mount = await LoopbackMount.make({ holder: true, disk: disk.directory });
      try {
        const heir = await removedWhileSealed(mount, 'first');
        await mkdir(mount.path(heir, 'made'));
        await writeFile(mount.path('file'), 'content');
        await rename(mount.path('file'), mount.path(heir, 'file'));
        await rename(mount.path(heir), mount.path('moved'));
        await mount.kill();
        await mount.serve();
        await writeFile(mount.path('moved', 'file'), 'CONTENT');
        await mount.daemon.command('seal', { path: 'moved' });
        await assert.rejects(mkdir(mount.path('moved', 'x')), { code: 'EROFS' });
        await assert.rejects(rename(mount.path('moved'), mount.path('again')), { code: 'EBUSY' });
        await mount.daemon.command('unseal', { path: 'moved' });
        await rm(mount.path('moved'), { recursive: true });
        const second = await removedWhileSealed(mount, 'second');
        await rm(mount.path(second), { recursive: true });
      } finally {
        await mount.clean();
        await disk.stop();
      }
    });
  });
}

/** Seals a directory and removes it beneath the mount. Returns the name of one that has its inode number now. */
async function removedWhileSealed(mount: LoopbackMount, name: string): Promise<string> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await mkdir(mount.path(name));
    const { ino } = await stat(mount.path(name));
    await mount.daemon.command('seal', { path: name });
    await untilNewBirth(mount.backing(name));
    await rm(mount.backing(name), { recursive: true });
    await mount.daemon.command('forget', { parent: '', name });
    // Others of the host may be faster; the file system gives away the lowest number that is free.
    for (let count = 0; count < 200; count += 1) {
      const heir = `${name}-${attempt}-${count}`;
      await mkdir(mount.path(heir));
      if ((await stat(mount.path(heir))).ino === ino) return heir;
    }
  }
  throw new Error('the file system gave no inode number away twice');
}

/** Times of birth are as fine as the tick of the kernel: without file handles two directories of one tick are one. */
async function untilNewBirth(directory: string): Promise<void> {
  const { birthtimeNs } = await stat(directory, { bigint: true });
  const probe = join(directory, 'probe');
  for (;;) {
    await writeFile(probe, '');
    const born = await stat(probe, { bigint: true });
    await rm(probe);
    if (born.birthtimeNs > birthtimeNs) return;
  }
}

describe('a fresh start of alloc directories', skip === undefined ? {} : { skip }, () => {
  it('empties the orphan directory', async () => {
    const disk = await diskPlace();
    const mount = await LoopbackMount.make({ orphan: 'left by a crash of the machine', disk: disk.directory });
    try {
      assert.deepEqual(await readdir(mount.orphans()), []);
      const record = await mount.daemon.command<NegotiatedRecord>('record');
      assert.equal(record.profile, 'allocs');
      assert.ok(existsSync(mount.settings.mountPoint));
    } finally {
      await mount.clean();
      await disk.stop();
    }
  });
});
