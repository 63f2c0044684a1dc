/** On a plain directory, with real mounts. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AllocDir } from '../../src/alloc/alloc-dir.ts';
import { allocScene, look, mountAt, mountPoints, needsRoot } from './helpers/scene.ts';
import { withoutRoot } from './helpers/without-root.ts';

test('a TaskDir that is only made has the paths of its alloc', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context, 'a1');
  const task = allocDir.newTaskDir('web');
  const base = join(directory.visiblePath, 'a1');
  assert.deepEqual(
    [task.allocDir, task.dir, task.sharedAllocDir, task.sharedTaskDir, task.localDir, task.logDir, task.secretsDir],
    [
      base,
      `${base}/web`,
      `${base}/alloc`,
      `${base}/web/alloc`,
      `${base}/web/local`,
      `${base}/alloc/logs`,
      `${base}/web/secrets`,
    ],
  );
  assert.equal(task.mountsDir, join(directory.mountsPath, 'a1-web'));
  assert.equal(existsSync(task.dir), false);
});

test('[S150] [NonRoot/Image] there is no <task>/alloc without chroot isolation', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  for (const isolation of ['none', 'image', 'unveil'] as const) {
    const task = allocDir.newTaskDir(`with-${isolation}`);
    await task.build({ isolation });
    assert.equal(existsSync(task.sharedTaskDir), false, isolation);
  }
});

test(
  '[MountSharedAlloc] with chroot isolation every task reads the shared directory at <task>/alloc',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    const tasks = ['web', 'db'].map((name) => allocDir.newTaskDir(name));
    for (const task of tasks) await task.build({ isolation: 'chroot' });
    writeFileSync(join(allocDir.sharedDir, 'data/file'), 'shared');
    for (const task of tasks) assert.equal(readFileSync(join(task.sharedTaskDir, 'data/file'), 'utf8'), 'shared');
    writeFileSync(join(tasks[0]?.sharedTaskDir ?? '', 'data/other'), 'by a task');
    assert.equal(readFileSync(join(allocDir.sharedDir, 'data/other'), 'utf8'), 'by a task');
  },
);

test('[S155] logs are read-only in <task>/alloc, really, and writable beside it', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ isolation: 'chroot' });
  writeFileSync(join(task.logDir, 'web.stdout.0'), 'line');
  const inside = join(task.sharedTaskDir, 'logs');
  assert.equal(readFileSync(join(inside, 'web.stdout.0'), 'utf8'), 'line');
  assert.throws(() => writeFileSync(join(inside, 'web.stdout.0'), 'x'), { code: 'EROFS' });
  assert.throws(() => rmSync(join(inside, 'web.stdout.0')), { code: 'EROFS' });
  writeFileSync(join(task.sharedTaskDir, 'data/file'), 'the rest is writable');
});

test('a build of a chroot again mounts what is missing and nothing twice', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  const options = { isolation: 'chroot', chroot: { '/etc/passwd': '/etc/passwd' } } as const;
  await task.build(options);
  const before = [...(await mountPoints(allocDir.allocDir))].sort();
  await task.build(options);
  await task.restore(options);
  assert.deepEqual([...(await mountPoints(allocDir.allocDir))].sort(), before);
  await allocDir.unmountAll();
  await task.restore(options);
  assert.deepEqual([...(await mountPoints(allocDir.allocDir))].sort(), before);
});

test('[S150] [Unveil root] the task gets a directory of its own with what it may see', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ isolation: 'unveil', user: { uid: 1234, gid: 4321 } });
  assert.equal(look(task.mountsDir), '710 1234:4321');
  assert.match(look(join(task.mountsDir, 'alloc')), /^777 /);
  assert.match(look(join(task.mountsDir, 'local')), /^777 /);
  assert.equal(look(join(task.mountsDir, 'secrets')), '710 1234:4321');
  for (const name of ['alloc', 'local', 'tmp', 'secrets']) {
    const row = await mountAt(join(task.mountsDir, name));
    assert.ok(row?.options.includes('nosuid') && row.options.includes('noatime'), name);
  }
  writeFileSync(join(task.mountsDir, 'alloc/data/file'), 'x');
  assert.ok(existsSync(join(allocDir.sharedDir, 'data/file')));
  writeFileSync(join(task.mountsDir, 'secrets/key'), 'x');
  assert.ok(existsSync(join(task.secretsDir, 'key')));
  await task.build({ isolation: 'unveil', user: { uid: 1234, gid: 4321 } });
  assert.equal((await mountPoints(task.mountsDir)).length, 4);
});

test('two allocs whose tasks would have one directory there do not get into each other', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context, 'a-b');
  await allocDir.newTaskDir('c').build({ isolation: 'unveil' });
  const other = new AllocDir({ directory, id: 'a' });
  await other.build();
  const task = other.newTaskDir('b-c');
  await assert.rejects(task.build({ isolation: 'unveil' }), { code: 'ALREADY_EXISTS' });
  await task.build({ isolation: 'none' });
  await other.destroy();
  assert.equal((await mountPoints(join(directory.mountsPath, 'a-b-c'))).length, 4);
});

test('build without the alloc is refused, and makes nothing', needsRoot, async (context) => {
  const { directory } = await allocScene(context);
  const task = new AllocDir({ directory, id: 'not-built' }).newTaskDir('web');
  await assert.rejects(task.build({ isolation: 'none' }), { code: 'NOT_FOUND' });
  assert.deepEqual(await mountPoints(join(directory.runtimePath, 'secrets/not-built')), []);
});

test('build has nothing half-done when the chroot map cannot be', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  for (const chroot of [{ '../etc': '/etc' }, { '/etc': '../etc' }, { '/etc': '/secrets' }, { '/etc': 'alloc/x' }]) {
    await assert.rejects(task.build({ isolation: 'chroot', chroot }), { code: 'INVALID_ARGUMENT' });
  }
  assert.equal(existsSync(task.dir), false);
  await assert.rejects(task.build({ isolation: 'chroot', chroot: { '/etc': '/etc' }, signal: AbortSignal.abort() }), {
    code: 'INTERRUPTED',
  });
});

test('restore keeps the modes that a task has given its directories', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ isolation: 'none' });
  rmSync(task.localDir, { recursive: true });
  mkdirSync(task.localDir, { mode: 0o700 });
  await task.restore({ isolation: 'none' });
  assert.match(look(task.localDir), /^700 /);
  await task.build({ isolation: 'none' });
  assert.match(look(task.localDir), /^777 /);
  assert.deepEqual(readdirSync(task.dir).sort(), ['local', 'secrets', 'tmp']);
});

test('[NonRoot, Unveil non-root] without the right to mount, modes are the same, and unveil gives links', async () => {
  const result = await withoutRoot();
  assert.deepEqual(result.modes, [
    ' 755',
    'web 777',
    'web/local 777',
    'web/tmp 1777',
    'web/secrets 777',
    'alloc 777',
    'alloc/logs 777',
    'unveiled/secrets 710',
  ]);
  assert.equal(result.hasSharedAlloc, false);
  assert.deepEqual(result.unveiled, [' 710', 'alloc 777', 'local 777', 'secrets 710']);
  assert.deepEqual([result.unveiledIsLink, result.local], [true, 'through']);
  assert.equal(result.chroot.code, 'PERMISSION_DENIED');
});
