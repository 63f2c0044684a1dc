/** Chroot maps over a small host of the test's own, with real bind mounts. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ChrootMap, checkChrootMap } from '../../src/alloc/chroot-map.ts';
import type { TaskDir } from '../../src/alloc/task-dir.ts';
import { loadNative } from '../../src/native/load.ts';
import { type AllocScene, allocScene, look, mountPoints, needsRoot } from './helpers/scene.ts';

interface ChrootScene extends AllocScene {
  readonly host: string;
  readonly task: TaskDir;
  embed(map: ChrootMap): Promise<void>;
}

async function scene(context: TestContext): Promise<ChrootScene> {
  const base = await allocScene(context);
  const task = base.allocDir.newTaskDir('web');
  const host = join(base.directory.path, '../host');
  mkdirSync(join(host, 'etc/ssl'), { recursive: true });
  mkdirSync(join(host, 'etc/empty'));
  writeFileSync(join(host, 'etc/passwd'), 'users');
  writeFileSync(join(host, 'etc/ssl/cert'), 'cert');
  symlinkSync('passwd', join(host, 'etc/link'));
  return { ...base, host, task, embed: (chroot) => task.build({ isolation: 'chroot', chroot }) };
}

test(
  '[S154] [EmbedDirs] files and directories are shown with what is in them, read-only, without taking space',
  needsRoot,
  async (context) => {
    const { host, task, embed } = await scene(context);
    await embed({ [join(host, 'etc')]: '/etc', [join(host, 'etc/passwd')]: 'deep/er/passwd' });
    assert.equal(readFileSync(join(task.dir, 'etc/ssl/cert'), 'utf8'), 'cert');
    assert.deepEqual(readdirSync(join(task.dir, 'etc')).sort(), ['empty', 'link', 'passwd', 'ssl']);
    assert.equal(readFileSync(join(task.dir, 'deep/er/passwd'), 'utf8'), 'users');
    assert.throws(() => writeFileSync(join(task.dir, 'etc/passwd'), 'x'), { code: 'EROFS' });
    assert.throws(() => writeFileSync(join(task.dir, 'deep/er/passwd'), 'x'), { code: 'EROFS' });
    writeFileSync(join(host, 'etc/new'), 'later');
    assert.equal(readFileSync(join(task.dir, 'etc/new'), 'utf8'), 'later', 'it is the same directory');
  },
);

test('[CreateDir] modes and owners are those of the source', needsRoot, async (context) => {
  const { host, task, embed } = await scene(context);
  chmodSync(join(host, 'etc'), 0o760);
  chownSync(join(host, 'etc'), 12, 34);
  await embed({ [join(host, 'etc')]: 'etc' });
  assert.equal(look(join(task.dir, 'etc')), '760 12:34');
});

test('directories above a target are as those of the host with that name', needsRoot, async (context) => {
  const { host, task, embed } = await scene(context);
  await embed({ [join(host, 'etc')]: 'var/tmp/a/b' });
  assert.equal(look(join(task.dir, 'var/tmp')), look('/var/tmp'));
  assert.equal(look(join(task.dir, 'var/tmp/a')), '755 0:0');
});

test(
  '[EmbedNonexistent] a source that is missing is skipped, and nothing is made for it',
  needsRoot,
  async (context) => {
    const { host, task, embed } = await scene(context);
    await embed({
      [join(host, 'missing')]: '/missing',
      [join(host, 'etc/passwd/x')]: '/x',
      '/no/such/place': '/place',
    });
    assert.deepEqual(readdirSync(task.dir).sort(), ['alloc', 'local', 'secrets', 'tmp']);
  },
);

test(
  '[S154] [SkipAllocDir] a parent of the allocs is shown without them, and one of their own places not at all',
  needsRoot,
  async (context) => {
    const { allocDir, directory, task, embed } = await scene(context);
    const parent = join(directory.path, '..');
    writeFileSync(join(allocDir.sharedDir, 'data/file'), 'x');
    await embed({ [parent]: '/host', [directory.path]: '/own', [allocDir.sharedDir]: '/shared' });
    assert.equal(readFileSync(join(task.dir, 'host/host/etc/passwd'), 'utf8'), 'users');
    assert.deepEqual(readdirSync(join(task.dir, 'host/allocs')), []);
    assert.deepEqual(readdirSync(join(task.dir, 'host/runtime')), []);
    assert.equal(existsSync(join(task.dir, 'own')) || existsSync(join(task.dir, 'shared')), false);
  },
);

test('a link of the host that leads to one of its own places is skipped', needsRoot, async (context) => {
  const { directory, host, task, embed } = await scene(context);
  symlinkSync(directory.path, join(host, 'to-allocs'));
  symlinkSync('etc', join(host, 'to-etc'));
  await embed({ [join(host, 'to-allocs')]: '/a', [join(host, 'to-etc')]: '/b' });
  assert.equal(existsSync(join(task.dir, 'a')), false);
  assert.equal(readFileSync(join(task.dir, 'b/passwd'), 'utf8'), 'users');
});

test('what is there already is left, and what it lacks is added entry by entry', needsRoot, async (context) => {
  const { host, task, embed } = await scene(context);
  await task.build({ isolation: 'none' });
  mkdirSync(join(task.dir, 'etc/ssl'), { recursive: true });
  writeFileSync(join(task.dir, 'etc/passwd'), "the task's own");
  await embed({ [join(host, 'etc')]: '/etc' });
  assert.equal(readFileSync(join(task.dir, 'etc/passwd'), 'utf8'), "the task's own");
  assert.equal(readFileSync(join(task.dir, 'etc/ssl/cert'), 'utf8'), 'cert');
  assert.equal(readlinkSync(join(task.dir, 'etc/link')), 'passwd');
  assert.deepEqual(readdirSync(join(task.dir, 'etc/empty')), []);
  writeFileSync(join(task.dir, 'etc/mine'), 'its directory is still its own');
});

test('one map entry inside of another shows both', needsRoot, async (context) => {
  const { host, task, embed } = await scene(context);
  mkdirSync(join(host, 'opt'));
  writeFileSync(join(host, 'opt/tool'), 'tool');
  await embed({ [join(host, 'etc')]: '/etc', [join(host, 'opt')]: '/etc/opt/inner' });
  assert.equal(readFileSync(join(task.dir, 'etc/passwd'), 'utf8'), 'users');
  assert.equal(readFileSync(join(task.dir, 'etc/ssl/cert'), 'utf8'), 'cert');
  assert.equal(readFileSync(join(task.dir, 'etc/opt/inner/tool'), 'utf8'), 'tool');
  assert.throws(() => writeFileSync(join(task.dir, 'etc/ssl/cert'), 'x'), { code: 'EROFS' });
});

test('a whole root file system can be shown around what the task has', needsRoot, async (context) => {
  const { host, task, embed } = await scene(context);
  mkdirSync(join(host, 'local'));
  mkdirSync(join(host, 'secrets'));
  writeFileSync(join(host, 'secrets/host'), 'of the host');
  writeFileSync(join(host, 'local/host'), 'of the host');
  await embed({ [host]: '/' });
  assert.equal(readFileSync(join(task.dir, 'etc/passwd'), 'utf8'), 'users');
  assert.deepEqual([readdirSync(task.secretsDir), readdirSync(task.localDir)], [[], []]);
  writeFileSync(join(task.localDir, 'file'), 'local is writable');
});

test(
  'devices, fifos and sockets are skipped, and devices in a shown directory do not work',
  needsRoot,
  async (context) => {
    const { host, task, embed } = await scene(context);
    const etc = openSync(join(host, 'etc'), 'r');
    loadNative().makeNode(etc, 'fifo', constants.S_IFIFO | 0o666, 0, 0);
    closeSync(etc);
    // An entry that is there makes the rest come one by one.
    mkdirSync(join(task.dir, 'etc'), { recursive: true });
    writeFileSync(join(task.dir, 'etc/passwd'), 'x');
    await embed({ '/dev/null': '/null', [join(host, 'etc')]: '/etc', '/dev': '/dev' });
    assert.equal(existsSync(join(task.dir, 'null')), false);
    assert.deepEqual(readdirSync(join(task.dir, 'etc')).sort(), ['empty', 'link', 'passwd', 'ssl']);
    assert.throws(() => writeFileSync(join(task.dir, 'dev/null'), 'x'), { code: /EACCES|EROFS/ });
  },
);

test(
  '[S158] a task that renames the directory above a mount point does not lead the next build away',
  needsRoot,
  async (context) => {
    const { directory, host, task, embed } = await scene(context);
    const outside = join(directory.path, '../outside');
    mkdirSync(outside);
    await task.build({ isolation: 'none' });
    symlinkSync(outside, join(task.dir, 'usr'));
    await assert.rejects(embed({ [join(host, 'etc')]: '/usr/share/etc' }), { code: /INVALID_PATH|NOT_A_DIRECTORY/ });
    assert.deepEqual(readdirSync(outside), []);
    assert.ok(lstatSync(join(task.dir, 'usr')).isSymbolicLink());
    assert.equal((await mountPoints(outside)).length, 0);
  },
);

test('checkChrootMap takes paths in any spelling and refuses what leaves', () => {
  assert.deepEqual(checkChrootMap({ '/etc': '//etc/./ssl/', '/bin': '' }), [
    ['/etc', 'etc/ssl'],
    ['/bin', ''],
  ]);
  for (const map of [{ etc: '/etc' }, { '/a/../b': 'x' }, { '/a': 'x/../y' }, { '/a': 'x\0' }, { '/a': 'alloc' }]) {
    assert.throws(() => checkChrootMap(map), { code: 'INVALID_ARGUMENT' });
  }
  for (const target of ['local', '/local/ssl', './local//x']) {
    assert.throws(() => checkChrootMap({ '/etc/ssl': target }), {
      code: 'INVALID_ARGUMENT',
      message: /anything in local\/: that is the task's own data/,
    });
  }
});
