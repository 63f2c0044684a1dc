/** The loopback engine from start to end: what it holds, what it forgets, what it is told, and how it stops. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../tools/until.ts';
import { MountFolder, within } from './helpers/child-daemon.ts';
import { LoopbackMount } from './helpers/loopback.ts';
import { begin, mountTestsSkip, run } from './helpers/run.ts';

const ROUNDS_PROGRAM = fileURLToPath(new URL('./programs/loopback-rounds.js', import.meta.url));
const ROUNDS = 12;
const TIMEOUT_MS = 60_000;
const { ENODEV } = constants.errno;
const skip = mountTestsSkip();
const options = skip === undefined ? {} : { skip };

describe('the loopback engine', options, () => {
  let mount: LoopbackMount;
  before(async () => {
    mount = await LoopbackMount.make();
  });
  after(() => mount.clean());

  it('shows what was changed beneath the mount when it is told', async () => {
    await mkdir(mount.path('told'));
    await writeFile(mount.path('told', 'file'), 'old');
    assert.deepEqual(await readdir(mount.path('told')), ['file']);
    await assert.rejects(stat(mount.path('told', 'new')), { code: 'ENOENT' });
    await writeFile(mount.backing('told', 'new'), 'new');
    await writeFile(mount.backing('told', 'file'), 'longer');
    await mount.daemon.command('forget', { parent: 'told', name: 'new' });
    await mount.daemon.command('refresh', { path: 'told' });
    await mount.daemon.command('refresh', { path: 'told/file' });
    assert.equal(await readFile(mount.path('told', 'new'), 'utf8'), 'new');
    assert.equal((await stat(mount.path('told', 'file'))).size, 6);
    assert.deepEqual((await readdir(mount.path('told'))).sort(), ['file', 'new']);
    await unlink(mount.backing('told', 'new'));
    await mount.daemon.command('forget', { parent: 'told', name: 'new' });
    await assert.rejects(stat(mount.path('told', 'new')), { code: 'ENOENT' });
    await mount.daemon.command('forget', { parent: 'told', name: 'never-seen' });
    await mount.daemon.command('forget', { parent: 'not/there', name: 'name' });
    await rm(mount.path('told'), { recursive: true });
  });

  it('forgets what the kernel forgets', async () => {
    // It does so a moment after the last user is gone: also what the test before has removed.
    const isIdle = async (): Promise<boolean> => {
      const { nodes, openFiles } = await mount.engine();
      return nodes === 0 && openFiles === 0;
    };
    await until('what was there before to be forgotten', isIdle);
    await mkdir(mount.path('many'));
    for (let index = 0; index < 500; index += 1) await writeFile(mount.path('many', String(index)), '');
    assert.ok((await mount.engine()).nodes >= 501);
    await rm(mount.path('many'), { recursive: true });
    await until('nodes to be forgotten', isIdle);
  });

  it('does not cross a mount point beneath its directory, and follows no link out of it', async () => {
    await mkdir(mount.backing('mounted'));
    await mount.daemon.command('forget', { parent: '', name: 'mounted' });
    await run('mount', ['-t', 'tmpfs', 'none', mount.backing('mounted')]);
    try {
      await assert.rejects(stat(mount.path('mounted')), { code: 'EXDEV' });
    } finally {
      await run('umount', [mount.backing('mounted')]);
    }
    await assert.rejects(mount.daemon.command('seal', { path: '../orphans' }), /EXDEV|XDEV|cannot seal/);
    await assert.rejects(mount.daemon.command('seal', { path: 'not-there' }), /cannot seal not-there/);
  });

  it('seals a directory, by whatever name it is reached', async () => {
    await mkdir(mount.path('place'));
    await mkdir(mount.path('place', 'sealed'));
    await mount.daemon.command('seal', { path: 'place/sealed' });
    await assert.rejects(writeFile(mount.path('place', 'sealed', 'file'), ''), { code: 'EROFS' });
    await assert.rejects(rm(mount.path('place', 'sealed'), { recursive: true }), { code: 'EBUSY' });
    await mount.daemon.command('unseal', { path: 'place/sealed' });
    await writeFile(mount.path('place', 'sealed', 'file'), '');
    await rm(mount.path('place'), { recursive: true });
  });

  it('tells when it is unmounted', async () => {
    const ended = mount.daemon.command<number>('ended');
    await mount.unmount();
    assert.equal(await ended, ENODEV);
    await mount.daemon.command('close');
  });
});

describe('descriptors of the loopback engine', options, () => {
  it('[S184] are bounded, however many files the kernel knows', { timeout: 120_000 }, async () => {
    const FILES = 100_000;
    // In memory: a hundred thousand files on a disk take their time.
    const disk = await mkdtemp('/dev/shm/dunnage-loopback-');
    const mount = await LoopbackMount.make({ disk });
    try {
      const script = 'cd "$0" && mkdir a && cd a && seq "$1" | split -l 1 -a 6 - f';
      await run('sh', ['-c', script, mount.settings.backing, String(FILES)]);
      const listed = await run('find', [mount.settings.mountPoint, '-type', 'f', '-size', '-2']);
      assert.equal(listed.trimEnd().split('\n').length, FILES);
      const { nodes, descriptors } = await mount.engine();
      assert.ok(nodes > FILES, `${nodes} nodes`);
      assert.ok(descriptors <= 8192 + 64, `${descriptors} descriptors`);
      assert.ok((await mount.daemon.command<number>('descriptors')) < 8192 + 256);
    } finally {
      await mount.clean();
      await rm(disk, { recursive: true });
    }
  });
});

describe('the end of the loopback engine', options, () => {
  it('leaves no thread and no descriptor, round after round, also when its worker is ended', {
    timeout: 120_000,
  }, async () => {
    const folder = await MountFolder.make();
    try {
      for (const name of ['mnt', 'backing', 'orphans']) await mkdir(join(folder.path, name));
      const { process: program, ended } = begin(process.execPath, [ROUNDS_PROGRAM, folder.path, String(ROUNDS)]);
      const { code, stdout, stderr } = await within(ended, TIMEOUT_MS, 'rounds').finally(() => program.kill('SIGKILL'));
      assert.deepEqual([code, stderr], [0, '']);
      const { first, last } = JSON.parse(stdout) as Record<'first' | 'last', { descriptors: number; threads: number }>;
      assert.deepEqual(last, first);
    } finally {
      await folder.clean();
    }
  });
});
