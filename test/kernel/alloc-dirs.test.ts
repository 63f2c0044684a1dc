/** AllocDir and TaskDir in a directory that is served: what tasks see through the mount, with the engine in a child. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rename, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { AllocDir } from '../../src/alloc/alloc-dir.ts';
import { findMount, readMountTable } from '../../src/mounts/mount-table.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';
import { LoopbackMount } from './helpers/loopback.ts';
import { LoopbackDirectory } from './helpers/loopback-directory.ts';

const needsFuse = { skip: skipUnlessFuse() };
const run = promisify(execFile);
/** What a shell needs. */
const SYSTEM = Object.fromEntries(
  ['/bin', '/lib', '/lib64', '/usr/bin', '/usr/lib', '/usr/lib64', '/etc'].map((path) => [path, path]),
);

interface Scene {
  readonly mount: LoopbackMount;
  readonly directory: LoopbackDirectory;
  readonly alloc: AllocDir;
}

async function scene(context: TestContext, options: { readonly holder?: boolean } = {}): Promise<Scene> {
  const mount = await LoopbackMount.make(options);
  const directory = await LoopbackDirectory.make(mount);
  const alloc = new AllocDir({ directory, id: 'a1' });
  context.after(async () => {
    await directory.close();
    // Innermost first: what is bound into the tree keeps it busy.
    const rows = (await readMountTable()).filter(({ mountPoint }) => mountPoint.startsWith(`${mount.folder.path}/`));
    for (const { mountPoint, type } of rows.reverse()) {
      if (type !== 'fuse.dunnage' || mountPoint !== mount.settings.mountPoint) await run('umount', ['-l', mountPoint]);
    }
    await mount.clean();
  });
  await alloc.build();
  return { mount, directory, alloc };
}

async function look(path: string): Promise<string> {
  const { mode, uid } = await stat(path);
  return `${(mode & 0o7777).toString(8)} ${uid}`;
}

/** As somebody who is not root. */
async function asNobody(script: string): Promise<string> {
  return (await run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', script])).stdout;
}

test(
  '[S150] what is built beneath is seen through the mount, also where the kernel knew that there is nothing',
  needsFuse,
  async (context) => {
    const { mount, alloc } = await scene(context);
    await assert.rejects(stat(mount.path('a1/web')), { code: 'ENOENT' });
    const web = alloc.newTaskDir('web');
    await web.build({ isolation: 'none' });
    assert.equal(await look(mount.path('a1')), '755 0');
    assert.equal(await look(web.dir), '777 65534');
    assert.equal(await look(join(web.dir, 'tmp')), '1777 65534');
    await asNobody(`echo text > ${web.localDir}/file`);
    assert.equal(await readFile(mount.backing('a1/web/local/file'), 'utf8'), 'text\n');
    await chmod(mount.backing('a1/web/local'), 0o700);
    await web.build({ isolation: 'none' });
    assert.equal(await look(web.localDir), '777 65534', 'and a mode that was changed beneath');
  },
);

test(
  '[S151] [S152] secrets go to memory, and nowhere while it is not mounted: not by root, not by moving the directory',
  needsFuse,
  async (context) => {
    const { mount, alloc, directory } = await scene(context);
    const web = alloc.newTaskDir('web');
    await web.build({ isolation: 'none' });
    await asNobody(`echo secret > ${web.secretsDir}/key`);
    assert.equal((await findMount(web.secretsDir))?.type, 'tmpfs');
    assert.deepEqual(await readdir(mount.backing('a1/web/secrets')), []);
    await assert.rejects(alloc.readAt('web/secrets/key', 0), { code: 'PERMISSION_DENIED' });
    await run('umount', [web.secretsDir]);
    await assert.rejects(writeFile(join(web.secretsDir, 'key'), 'on disk'), { code: 'EROFS' });
    await assert.rejects(mkdir(join(web.secretsDir, 'dir')), { code: 'EROFS' });
    await assert.rejects(rename(web.secretsDir, join(web.dir, 'elsewhere')), { code: 'EBUSY' });
    await assert.rejects(rmdir(web.secretsDir), { code: 'EBUSY' });
    assert.deepEqual(await readdir(mount.backing('a1/web/secrets')), []);
    await web.restore({ isolation: 'none' });
    assert.equal(await readFile(join(web.secretsDir, 'key'), 'utf8'), 'secret\n');
    assert.equal((await directory.mounts.list(web.dir)).length, 1);
  },
);

test(
  '[S153] secrets, binds and the shared directory go on while no daemon serves, and after a takeover',
  needsFuse,
  async (context) => {
    const { mount, alloc } = await scene(context, { holder: true });
    const web = alloc.newTaskDir('web');
    const options = { isolation: 'chroot', chroot: { '/etc': '/etc' } } as const;
    await web.build(options);
    await writeFile(join(web.secretsDir, 'key'), 'secret');
    await mount.kill();
    assert.equal(await readFile(join(web.dir, 'etc/passwd'), 'utf8'), await readFile('/etc/passwd', 'utf8'));
    await mount.serve();
    assert.equal(await readFile(join(web.secretsDir, 'key'), 'utf8'), 'secret');
    const before = (await readMountTable()).length;
    await web.restore(options);
    assert.equal((await readMountTable()).length, before);
    await writeFile(join(web.sharedTaskDir, 'data/file'), 'shared');
    assert.equal(await readFile(join(alloc.sharedDir, 'data/file'), 'utf8'), 'shared');
  },
);

test(
  '[S154] [S155] a chroot through the mount: host paths and logs read-only, and nothing of the host is written',
  needsFuse,
  async (context) => {
    const { mount, alloc } = await scene(context);
    const host = join(mount.folder.path, '../', `${mount.folder.path.split('/').at(-1)}-host`);
    await mkdir(join(host, 'bin'), { recursive: true });
    context.after(() => rm(host, { recursive: true, force: true }));
    await writeFile(join(host, 'bin/tool'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
    const web = alloc.newTaskDir('web');
    await web.build({ isolation: 'chroot', chroot: { [host]: '/', '/usr': '/usr', [mount.settings.backing]: '/own' } });
    assert.equal(await asNobody(`${web.dir}/bin/tool`), 'ran\n');
    await assert.rejects(writeFile(join(web.dir, 'bin/tool'), 'x'), { code: 'EROFS' });
    await assert.rejects(stat(join(web.dir, 'own')), { code: 'ENOENT' });
    await asNobody(`echo line > ${alloc.sharedDir}/logs/web.stdout.0`);
    assert.equal(await readFile(join(web.sharedTaskDir, 'logs/web.stdout.0'), 'utf8'), 'line\n');
    await assert.rejects(writeFile(join(web.sharedTaskDir, 'logs/web.stdout.0'), 'x'), { code: 'EROFS' });
    assert.deepEqual(await readdir(mount.backing('a1/web/bin')), []);
    const [size] = (await run('du', ['-s', mount.backing('a1/web')])).stdout.split('\t');
    assert.ok(Number(size) < 100, 'nothing was copied');
  },
);

test('a shell runs in the chroot that was built, with what it was given', needsFuse, async (context) => {
  const { alloc } = await scene(context);
  const web = alloc.newTaskDir('web');
  await web.build({ isolation: 'chroot', chroot: SYSTEM });
  const script =
    'echo text > /local/file; echo key > /secrets/key; echo data > /alloc/data/file; cat /etc/passwd | head -c 4';
  const { stdout } = await run('chroot', ['--userspec=65534:65534', web.dir, '/bin/sh', '-ec', script]);
  assert.equal(stdout, 'root');
  assert.equal(await readFile(join(alloc.sharedDir, 'data/file'), 'utf8'), 'data\n');
  assert.equal(await readFile(join(web.secretsDir, 'key'), 'utf8'), 'key\n');
});

test(
  '[S156] destroy takes everything out of the tree, and a new alloc of the same name works',
  needsFuse,
  async (context) => {
    const { mount, alloc, directory } = await scene(context);
    for (let round = 0; round < 3; round += 1) {
      await alloc.build();
      const web = alloc.newTaskDir('web');
      await web.build({ isolation: 'chroot', chroot: { '/etc': '/etc', '/usr/share': '/usr/share' } });
      await alloc.newTaskDir('db').build({ isolation: 'unveil' });
      // Numbers of sealed directories are given out again.
      for (let index = 0; index < 20; index += 1) await mkdir(join(web.localDir, `${round}-${index}`));
      await writeFile(join(web.localDir, `${round}-19/file`), 'x');
      await alloc.destroy();
      assert.deepEqual(await readdir(mount.path()), []);
      assert.deepEqual(await readdir(mount.backing()), []);
      assert.deepEqual(await readdir(directory.stagingPath), []);
      const left = (await readMountTable()).filter(({ mountPoint }) => mountPoint.startsWith(`${mount.folder.path}/`));
      assert.deepEqual(
        left.map(({ mountPoint }) => mountPoint),
        [mount.settings.mountPoint],
      );
    }
  },
);

test('[S156] a task that runs in its chroot is named, and waited for', needsFuse, async (context) => {
  const { alloc } = await scene(context);
  const web = alloc.newTaskDir('web');
  await web.build({ isolation: 'chroot', chroot: SYSTEM });
  const task = spawn('chroot', [web.dir, '/bin/sh', '-c', 'cd /secrets && echo ready && exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => task.kill('SIGKILL'));
  await once(task.stdout, 'data');
  await assert.rejects(alloc.destroy(), { code: 'BUSY', message: new RegExp(`in use by pid ${task.pid} \\(`) });
  assert.equal((await findMount(web.secretsDir))?.type, 'tmpfs');
  const uses = new Set<string>();
  await alloc.destroy({
    onBusy: (holders) => {
      for (const holder of holders) for (const use of holder.uses) uses.add(use);
      task.kill('SIGKILL');
    },
  });
  for (const use of ['working directory', 'program', 'mapped file']) assert.ok(uses.has(use), use);
  await assert.rejects(stat(alloc.allocDir), { code: 'ENOENT' });
});

test('[S157] a move is seen through the mount on both sides', needsFuse, async (context) => {
  const { mount, alloc, directory } = await scene(context);
  const web = alloc.newTaskDir('web');
  await web.build({ isolation: 'none' });
  await writeFile(join(web.localDir, 'file'), 'local');
  await writeFile(join(alloc.sharedDir, 'data/file'), 'data');
  const next = new AllocDir({ directory, id: 'a2' });
  await next.build();
  assert.deepEqual(await readdir(mount.path('a2/alloc/data')), []);
  await assert.rejects(stat(mount.path('a2/web')), { code: 'ENOENT' });
  await next.move(alloc, ['web']);
  assert.equal(await readFile(mount.path('a2/alloc/data/file'), 'utf8'), 'data');
  assert.equal(await readFile(mount.path('a2/web/local/file'), 'utf8'), 'local');
  await assert.rejects(stat(mount.path('a1/web/local/file')), { code: 'ENOENT' });
  assert.deepEqual((await readdir(alloc.sharedDir)).sort(), ['logs', 'tmp']);
});

test('[S158] what a task plants through the mount leads no later build away', needsFuse, async (context) => {
  const { mount, alloc } = await scene(context);
  const outside = join(mount.folder.path, 'outside');
  await mkdir(outside, { mode: 0o700 });
  const web = alloc.newTaskDir('web');
  await web.build({ isolation: 'none' });
  await rmdir(web.localDir);
  await symlink(outside, web.localDir);
  await assert.rejects(web.build({ isolation: 'none' }), { code: 'NOT_A_DIRECTORY' });
  await rm(join(alloc.sharedDir, 'logs'), { recursive: true });
  await symlink(outside, join(alloc.sharedDir, 'logs'));
  await assert.rejects(alloc.newTaskDir('root').build({ isolation: 'chroot' }), { code: 'INVALID_PATH' });
  assert.equal(await look(outside), '700 0');
  assert.deepEqual(await readdir(outside), []);
});

test(
  '[S158] tasks that swap directories for links all the time never get a mount or a directory outside',
  needsFuse,
  async (context) => {
    const { mount, alloc } = await scene(context);
    const outside = join(mount.folder.path, 'outside');
    await mkdir(join(outside, 'x/y'), { recursive: true });
    const web = alloc.newTaskDir('web');
    await web.build({ isolation: 'none' });
    const controller = new AbortController();
    const racing = run(
      'sh',
      [
        '-c',
        `cd ${web.dir} && while :; do mv -T usr away; ln -s ${outside} usr; rm usr; mv -T away usr; done 2>/dev/null`,
      ],
      { signal: controller.signal, killSignal: 'SIGKILL' },
    ).catch(() => undefined);
    const codes = new Set<string>();
    const chroot = { '/etc': '/usr/x/y', '/bin': '/usr/x/z' };
    for (let round = 0; round < 5; round += 1) {
      await web
        .build({ isolation: 'chroot', chroot })
        .catch((error: { code?: string; message: string }) => codes.add(error.code ?? error.message));
      await alloc
        .unmountAll()
        .catch((error: { code?: string; message: string }) => codes.add(error.code ?? error.message));
    }
    controller.abort();
    await racing;
    for (const code of codes) assert.match(code, /^(?:INVALID_PATH|NOT_A_DIRECTORY|NOT_FOUND|BUSY|ALREADY_EXISTS|IO)$/);
    assert.deepEqual(await readdir(outside), ['x']);
    assert.deepEqual(await readdir(join(outside, 'x')), ['y']);
    const mounted = (await readMountTable()).filter(({ mountPoint }) => mountPoint.startsWith(`${outside}/`));
    assert.deepEqual(mounted, []);
    await alloc.unmountAll();
  },
);
