/** On a plain directory, with real mounts where the user may mount. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { AllocDir } from '../../src/alloc/alloc-dir.ts';
import { removeLeftovers } from '../../src/alloc/alloc-removal.ts';
import { nobody } from '../../src/alloc/users.ts';
import type { DunnageError } from '../../src/errors/dunnage-error.ts';
import { loadNative } from '../../src/native/load.ts';
import { allocScene, look, mountPoints, needsRoot } from './helpers/scene.ts';

test('an AllocDir that is only made has its paths and nothing on the disk', needsRoot, async (context) => {
  const { directory } = await allocScene(context);
  const allocDir = new AllocDir({ directory, id: 'a1' });
  assert.equal(allocDir.allocDir, join(directory.path, 'a1'));
  assert.equal(allocDir.sharedDir, join(directory.path, 'a1/alloc'));
  assert.equal(allocDir.taskDirs.size, 0);
  assert.equal(existsSync(allocDir.allocDir), false);
  for (const id of ['', '..', 'a/b', '.staging']) {
    assert.throws(() => new AllocDir({ directory, id }), { code: 'INVALID_ARGUMENT' });
  }
});

test(
  '[S150] [BuildAlloc] build makes what tasks share, and each TaskDir.build its own directories',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    const { uid, gid } = await nobody();
    assert.equal(look(allocDir.allocDir), '755 0:0');
    for (const name of ['', 'logs', 'tmp', 'data'])
      assert.equal(look(join(allocDir.sharedDir, name)), `777 ${uid}:${gid}`);
    const tasks = ['web', 'db'].map((name) => allocDir.newTaskDir(name));
    assert.deepEqual(readdirSync(allocDir.allocDir), ['alloc'], 'before TaskDir.build there is nothing of the tasks');
    for (const task of tasks) {
      await task.build({ isolation: 'none' });
      assert.deepEqual(readdirSync(task.dir).sort(), ['local', 'secrets', 'tmp']);
      assert.equal(look(task.dir), `777 ${uid}:${gid}`);
      assert.equal(look(task.localDir), `777 ${uid}:${gid}`);
      assert.equal(look(join(task.dir, 'tmp')), `1777 ${uid}:${gid}`);
      assert.equal(look(task.secretsDir), `777 ${uid}:${gid}`);
    }
    assert.deepEqual([...allocDir.taskDirs.keys()], ['web', 'db']);
    assert.equal(allocDir.getTaskDir('web'), tasks[0]);
    assert.equal(allocDir.getTaskDir('none'), undefined);
  },
);

test('newTaskDir replaces a TaskDir of the same name, and refuses names that cannot be', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const first = allocDir.newTaskDir('web');
  const second = allocDir.newTaskDir('web', { secretsBytes: 4096 });
  assert.notEqual(first, second);
  assert.equal(allocDir.getTaskDir('web'), second);
  for (const name of ['alloc', '..', 'a/b']) {
    assert.throws(() => allocDir.newTaskDir(name), { code: 'INVALID_ARGUMENT' });
  }
});

test(
  'build again widens what somebody narrowed and keeps content; restore leaves it narrowed',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    writeFileSync(join(allocDir.sharedDir, 'data/kept'), 'kept');
    chmodSync(join(allocDir.sharedDir, 'data'), 0o700);
    rmSync(join(allocDir.sharedDir, 'tmp'), { recursive: true });
    await allocDir.restore();
    assert.match(look(join(allocDir.sharedDir, 'data')), /^700 /);
    assert.match(look(join(allocDir.sharedDir, 'tmp')), /^777 /, 'what is missing is made');
    await allocDir.build();
    assert.match(look(join(allocDir.sharedDir, 'data')), /^777 /);
    assert.equal(readFileSync(join(allocDir.sharedDir, 'data/kept'), 'utf8'), 'kept');
  },
);

test('[S159] build from many callers at the same time is one build', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await Promise.all([
    ...Array.from({ length: 5 }, () => allocDir.build()),
    ...Array.from({ length: 5 }, () => task.build({ isolation: 'chroot' })),
  ]);
  assert.equal((await mountPoints(allocDir.allocDir)).length, 3, 'secrets, alloc, alloc/logs');
  assert.deepEqual(readdirSync(allocDir.directory.stagingPath), []);
});

test(
  '[S158] a link where a directory should be is refused, and what it leads to is not touched',
  needsRoot,
  async (context) => {
    const { allocDir, directory } = await allocScene(context);
    const outside = join(directory.path, '../outside');
    mkdirSync(outside, { mode: 0o700 });
    rmSync(join(allocDir.sharedDir, 'data'), { recursive: true });
    symlinkSync(outside, join(allocDir.sharedDir, 'data'));
    await assert.rejects(allocDir.build(), { code: 'NOT_A_DIRECTORY' });
    const task = allocDir.newTaskDir('web');
    symlinkSync(outside, task.dir);
    await assert.rejects(task.build({ isolation: 'none' }), { code: 'NOT_A_DIRECTORY' });
    assert.match(look(outside), /^700 0:0/);
    assert.deepEqual(readdirSync(outside), []);
    rmSync(task.dir);
  },
);

test(
  '[S157] [Move] move brings data and local of the listed tasks, before the tasks are built',
  needsRoot,
  async (context) => {
    const { allocDir: old, directory } = await allocScene(context);
    const oldTask = old.newTaskDir('web');
    await oldTask.build({ isolation: 'none' });
    writeFileSync(join(old.sharedDir, 'data/file'), 'shared data');
    writeFileSync(join(oldTask.localDir, 'file'), 'local data');
    const next = new AllocDir({ directory, id: 'next' });
    const task = next.newTaskDir('web');
    await assert.rejects(next.move(old, ['web']), (error: DunnageError) => {
      assert.equal(error.message, `unable to move to ${next.allocDir} - alloc dir is not built`);
      return true;
    });
    await next.build();
    await next.move(old, ['web', 'missing']);
    assert.equal(readFileSync(join(next.sharedDir, 'data/file'), 'utf8'), 'shared data');
    assert.equal(readFileSync(join(task.localDir, 'file'), 'utf8'), 'local data');
    await task.build({ isolation: 'none' });
    assert.equal(readFileSync(join(task.localDir, 'file'), 'utf8'), 'local data');
    assert.equal(existsSync(join(old.sharedDir, 'data')), false);
    await next.move(old, ['web']);
    assert.equal(
      readFileSync(join(task.localDir, 'file'), 'utf8'),
      'local data',
      'a source that is missing is skipped',
    );
    await next.destroy();
  },
);

test('move replaces nothing that is not empty, and no link', needsRoot, async (context) => {
  const { allocDir: old, directory } = await allocScene(context);
  const next = new AllocDir({ directory, id: 'next' });
  await next.build();
  writeFileSync(join(old.sharedDir, 'data/file'), 'old');
  writeFileSync(join(next.sharedDir, 'data/file'), 'new');
  await assert.rejects(next.move(old, []), { code: 'NOT_EMPTY' });
  assert.equal(readFileSync(join(old.sharedDir, 'data/file'), 'utf8'), 'old');
  assert.equal(readFileSync(join(next.sharedDir, 'data/file'), 'utf8'), 'new');
  rmSync(join(old.sharedDir, 'data'), { recursive: true });
  symlinkSync('/etc', join(old.sharedDir, 'data'));
  await assert.rejects(next.move(old, []), { code: 'NOT_A_DIRECTORY' });
  assert.equal(readlinkSync(join(old.sharedDir, 'data')), '/etc');
  await assert.rejects(next.move(next, []), { code: 'INVALID_ARGUMENT' });
  await next.destroy();
});

test('copy is another description of the same alloc', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web', { secretsBytes: 8192, secretsOnDisk: true });
  const copy = allocDir.copy();
  assert.equal(copy.allocDir, allocDir.allocDir);
  const copied = copy.getTaskDir('web');
  assert.notEqual(copied, task);
  assert.deepEqual([copied?.dir, copied?.secretsBytes, copied?.secretsOnDisk], [task.dir, 8192, true]);
  copy.newTaskDir('db');
  assert.equal(allocDir.getTaskDir('db'), undefined);
});

test('unmountAll takes every mount away, and build makes them again', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ isolation: 'chroot', chroot: { '/etc': '/etc' } });
  await allocDir.unmountAll();
  assert.deepEqual(await mountPoints(join(directory.path, '..')), []);
  assert.deepEqual(readdirSync(join(task.dir, 'etc')), []);
  await allocDir.unmountAll();
  await task.build({ isolation: 'chroot', chroot: { '/etc': '/etc' } });
  assert.ok(existsSync(join(task.dir, 'etc/passwd')));
});

test('[S156] destroy leaves no mount and no directory, whatever is in the tree', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ isolation: 'chroot', chroot: { '/etc': '/etc', '/usr/share': '/usr/share' } });
  await allocDir.newTaskDir('db').build({ isolation: 'unveil' });
  writeFileSync(join(task.secretsDir, 'key'), 'secret');
  mkdirSync(join(task.localDir, 'deep/deeper'), { recursive: true });
  symlinkSync('/etc', join(task.localDir, 'deep/link'));
  await allocDir.destroy();
  assert.equal(existsSync(allocDir.allocDir), false);
  assert.deepEqual(await mountPoints(join(directory.path, '..')), []);
  assert.deepEqual(readdirSync(directory.stagingPath), []);
  assert.deepEqual(readdirSync(directory.mountsPath), []);
  assert.deepEqual(readdirSync(join(directory.runtimePath, 'secrets')), []);
  assert.deepEqual(readdirSync(join(directory.runtimePath, 'private')), []);
  assert.ok(existsSync('/etc/passwd') && existsSync('/usr/share'));
  assert.equal(allocDir.isBuilt, false);
  await allocDir.destroy();
});

test('destroy by another process that knows no task finds what was mounted', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context);
  await allocDir.newTaskDir('web').build({ isolation: 'unveil' });
  await new AllocDir({ directory, id: allocDir.id }).destroy();
  assert.deepEqual(await mountPoints(join(directory.path, '..')), []);
  assert.deepEqual(readdirSync(directory.mountsPath), []);
});

test(
  '[S156] destroy of what is in use is refused with the names of its users, and changes nothing',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    const task = allocDir.newTaskDir('web');
    await task.build({ isolation: 'none' });
    writeFileSync(join(task.secretsDir, 'key'), 'secret');
    const user = spawn('sleep', ['1000'], { cwd: task.secretsDir, stdio: 'ignore' });
    context.after(() => user.kill('SIGKILL'));
    await once(user, 'spawn');
    await assert.rejects(allocDir.destroy(), (error: DunnageError) => {
      assert.equal(error.code, 'BUSY');
      assert.match(error.message, new RegExp(`in use by pid ${user.pid} \\(sleep\\)`));
      return true;
    });
    assert.equal(readFileSync(join(task.secretsDir, 'key'), 'utf8'), 'secret');
    const told: number[] = [];
    const stop = AbortSignal.abort();
    await assert.rejects(allocDir.destroy({ onBusy: () => undefined, signal: stop }), { code: 'INTERRUPTED' });
    await allocDir.destroy({
      onBusy: (holders) => {
        told.push(...holders.map(({ pid }) => pid));
        user.kill('SIGKILL');
      },
    });
    assert.ok(told.includes(user.pid as number));
    assert.equal(existsSync(allocDir.allocDir), false);
  },
);

test(
  '[S156] nothing is removed through a mount that somebody else has made in the alloc',
  needsRoot,
  async (context) => {
    const { allocDir, directory } = await allocScene(context);
    const precious = join(directory.path, '../precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'precious');
    const target = join(allocDir.sharedDir, 'data/foreign');
    mkdirSync(target);
    loadNative().bindMount(precious, target, false);
    await allocDir.destroy();
    assert.equal(readFileSync(join(precious, 'file'), 'utf8'), 'precious');
    assert.deepEqual(await mountPoints(directory.path), []);
  },
);

test(
  'what an interrupted removal has left is removed at the next start, and a half-copied move is kept',
  needsRoot,
  async (context) => {
    const { allocDir, directory } = await allocScene(context, 'gone');
    writeFileSync(join(allocDir.sharedDir, 'data/file'), 'x');
    renameSync(allocDir.allocDir, join(directory.stagingPath, 'deleted-0123456789abcdef'));
    mkdirSync(join(directory.stagingPath, 'new-0123'), { mode: 0o700 });
    mkdirSync(join(directory.stagingPath, 'move-0123'));
    await removeLeftovers(directory);
    assert.deepEqual(readdirSync(directory.stagingPath), ['move-0123']);
  },
);

test(
  'a leftover that something is mounted in stays, is named, and keeps none of the others from being removed',
  needsRoot,
  async (context) => {
    const { directory } = await allocScene(context);
    const [kept, mounted] = ['deleted-0', 'deleted-0/m'].map((name) => join(directory.stagingPath, name)) as [
      string,
      string,
    ];
    const precious = join(directory.path, '../precious');
    for (const path of [mounted, join(directory.stagingPath, 'deleted-1/deep'), precious])
      mkdirSync(path, { recursive: true });
    writeFileSync(join(precious, 'file'), 'precious');
    loadNative().bindMount(precious, mounted, false);
    try {
      await assert.rejects(removeLeftovers(directory), (error: DunnageError) => {
        assert.ok(error.message.startsWith(`${kept} is left over: `), error.message);
        assert.match(error.remedy ?? '', /findmnt/);
        return true;
      });
      assert.deepEqual(readdirSync(directory.stagingPath), ['deleted-0']);
      assert.equal(readFileSync(join(precious, 'file'), 'utf8'), 'precious');
    } finally {
      execFileSync('umount', [mounted]);
    }
    await removeLeftovers(directory);
    assert.deepEqual(readdirSync(directory.stagingPath), []);
  },
);

test(
  'files are listed, described, read and followed; secrets are not, wherever their memory is bound',
  needsRoot,
  async (context) => {
    const { allocDir, directory } = await allocScene(context);
    const task = allocDir.newTaskDir('web');
    await task.build({ isolation: 'chroot' });
    const file = join(allocDir.sharedDir, 'data/file');
    const appears = allocDir.blockUntilExists('alloc/data/file');
    writeFileSync(file, 'content');
    await appears;
    assert.deepEqual(
      (await allocDir.list('/')).map(({ name }) => name),
      ['alloc', 'web'],
    );
    assert.equal((await allocDir.stat('alloc/data/file')).sizeBytes, 7);
    assert.equal(await text(await allocDir.readAt('alloc/data/file', 3)), 'tent');
    const events = allocDir.changeEvents('alloc/data/file', 7);
    const first = events.next();
    rmSync(file);
    assert.deepEqual(await first, { done: false, value: 'deleted' });
    assert.equal((await events.next()).done, true);
    writeFileSync(join(task.secretsDir, 'test_file'), 'secret');
    await assert.rejects(allocDir.readAt('web/secrets/test_file', 0), {
      message: 'Reading secret file prohibited: web/secrets/test_file',
    });
    // The same memory, at places of which nobody has told.
    for (const source of [task.secretsDir, task.privateDir]) {
      const bound = join(task.localDir, 'bound');
      mkdirSync(bound, { recursive: true });
      loadNative().bindMount(source, bound, false);
      await assert.rejects(allocDir.list('web/local/bound'), { code: 'PERMISSION_DENIED' });
      loadNative().unmount(bound, false);
    }
    await assert.rejects(allocDir.stat('../staging'), /Path escapes the alloc directory/);
    const stopped = allocDir.blockUntilExists('never', { signal: AbortSignal.abort(new Error('enough')) });
    await assert.rejects(stopped, /enough/);
    assert.ok(directory);
  },
);

test(
  '[Snapshot] a snapshot has data and local, two files and two links, and nothing else',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    const [first, second] = ['t1', 't2'].map((name) => allocDir.newTaskDir(name));
    await first?.build({ isolation: 'none' });
    await second?.build({ isolation: 'none' });
    for (const place of [join(allocDir.sharedDir, 'data'), first?.localDir ?? '']) {
      writeFileSync(join(place, 'file'), 'content');
      symlinkSync('nowhere', join(place, 'link'));
    }
    writeFileSync(join(first?.secretsDir ?? '', 'key'), 'secret');
    writeFileSync(join(allocDir.sharedDir, 'logs/t1.stdout.0'), 'line');
    const archive = new PassThrough();
    const [bytes] = await Promise.all([buffer(archive), allocDir.snapshot(archive)]);
    const listed = execFileSync('tar', ['-tvf', '-'], { input: bytes, encoding: 'utf8' }).trim().split('\n');
    const kinds = listed.map((line) => line[0]);
    assert.deepEqual(
      [kinds.filter((kind) => kind === '-').length, kinds.filter((kind) => kind === 'l').length],
      [2, 2],
    );
    assert.ok(
      listed.every((line) => / (alloc\/data|t1\/local|t2\/local)\//.test(line)),
      listed.join('\n'),
    );
    const gone = new AllocDir({ directory: allocDir.directory, id: 'gone' });
    await assert.rejects(gone.snapshot(new PassThrough()), { code: 'NOT_FOUND' });
  },
);
