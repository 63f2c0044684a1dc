/** Real mounts by a real agent, on a plain directory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { MountAgent } from '../../src/mounts/agent.ts';
import { AgentMounts, type BindOptions, tmpfsSizeBytes } from '../../src/mounts/agent-mounts.ts';
import { findMount, readMountTable } from '../../src/mounts/mount-table.ts';
import { loadNative } from '../../src/native/load.ts';
import { agentProgramPath } from '../../src/native/programs.ts';
import { skipUnlessRoot } from '../native/helpers/fuse-available.ts';

const PLAIN: BindOptions = { readOnly: false, recursive: false, noSuid: true, noExec: false };
const needsRoot = { skip: skipUnlessRoot() };
const MIB = 1024 * 1024;

interface Scene {
  /** Holds the base and what lies beside it. */
  readonly folder: string;
  readonly base: string;
  readonly mounts: AgentMounts;
}

function scene(context: TestContext): Scene {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-alloc-mounts-')));
  const base = join(folder, 'base');
  mkdirSync(base);
  const agent = MountAgent.start({ programPath: agentProgramPath(), baseDirectory: base, log: silentLog });
  context.after(async () => {
    await agent.close();
    const rows = (await readMountTable()).filter(({ mountPoint }) => mountPoint.startsWith(`${folder}/`));
    for (const { mountPoint } of rows.reverse()) loadNative().unmount(mountPoint, true);
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, base, mounts: new AgentMounts({ agent }) };
}

function directory(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(path, { recursive: true });
  return path;
}

test(
  'mountTmpfs gives memory that is limited, owned, and neither executes nor has devices',
  needsRoot,
  async (context) => {
    const { folder, mounts } = scene(context);
    const target = directory(folder, 'memory');
    await mounts.mountTmpfs(target, { sizeBytes: 2 * MIB, mode: 0o710, uid: 1234, gid: 4321 });
    const row = await findMount(target);
    assert.equal(row?.type, 'tmpfs');
    assert.equal(tmpfsSizeBytes(row), 2 * MIB);
    for (const option of ['noexec', 'nodev', 'nosuid']) assert.ok(row.options.includes(option), option);
    const { mode, uid, gid } = statSync(target);
    assert.deepEqual([mode & 0o7777, uid, gid], [0o710, 1234, 4321]);
    assert.throws(() => writeFileSync(join(target, 'large'), Buffer.alloc(3 * MIB)), { code: 'ENOSPC' });
  },
);

test('mountTmpfs uses noswap where the kernel has it', needsRoot, async (context) => {
  const { folder, mounts } = scene(context);
  const target = directory(folder, 'memory');
  await mounts.mountTmpfs(target, { sizeBytes: MIB, mode: 0o700, uid: 0, gid: 0 });
  const byHand = directory(folder, 'by-hand');
  const mount = spawn('mount', ['-t', 'tmpfs', '-o', 'noswap', 'none', byHand], { stdio: 'ignore' });
  const [status] = (await once(mount, 'close')) as [number];
  const row = await findMount(target);
  assert.equal(row?.superOptions.includes('noswap'), status === 0);
});

test('mountTmpfs on a mounted tmpfs changes its size and keeps what is in it', needsRoot, async (context) => {
  const { folder, mounts } = scene(context);
  const target = directory(folder, 'memory');
  const options = { sizeBytes: MIB, mode: 0o777, uid: 0, gid: 0 };
  await mounts.mountTmpfs(target, options);
  writeFileSync(join(target, 'kept'), Buffer.alloc(512 * 1024, 7));
  await mounts.mountTmpfs(target, options);
  await mounts.mountTmpfs(target, { ...options, sizeBytes: 3 * MIB });
  assert.equal((await mounts.list(target)).length, 1, 'mounted once');
  assert.equal(tmpfsSizeBytes((await mounts.list(target))[0] as never), 3 * MIB);
  assert.equal(readFileSync(join(target, 'kept')).length, 512 * 1024);
  await assert.rejects(mounts.mountTmpfs(target, { ...options, sizeBytes: 4096 }), { code: 'NO_SPACE' });
});

test('bind shows a directory and a file, with its attributes', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const source = directory(folder, 'source');
  writeFileSync(join(source, 'file'), 'content');
  const target = directory(base, 'a/b');
  await mounts.bind(source, target, { ...PLAIN, noExec: true, noDev: true, noAtime: true });
  assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'content');
  writeFileSync(join(target, 'new'), 'through');
  assert.equal(readFileSync(join(source, 'new'), 'utf8'), 'through');
  const row = await findMount(target);
  for (const option of ['nosuid', 'noexec', 'nodev', 'noatime']) assert.ok(row?.options.includes(option), option);
  const file = join(base, 'file');
  writeFileSync(file, '');
  await mounts.bind(join(source, 'file'), file, { ...PLAIN, readOnly: true });
  assert.equal(readFileSync(file, 'utf8'), 'content');
  assert.throws(() => writeFileSync(file, 'x'), { code: 'EROFS' });
});

test('a read-only bind is read-only in what is mounted beneath it too', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const source = directory(folder, 'source');
  const inner = directory(source, 'inner');
  await mounts.mountTmpfs(inner, { sizeBytes: MIB, mode: 0o777, uid: 0, gid: 0 });
  writeFileSync(join(inner, 'file'), 'inside');
  const target = directory(base, 'target');
  await mounts.bind(source, target, { ...PLAIN, readOnly: true, recursive: true });
  assert.equal(readFileSync(join(target, 'inner/file'), 'utf8'), 'inside');
  assert.throws(() => writeFileSync(join(target, 'inner/file'), 'x'), { code: 'EROFS' });
  assert.throws(() => writeFileSync(join(target, 'x'), 'x'), { code: 'EROFS' });
  writeFileSync(join(inner, 'file'), 'the source stays writable');
  const flat = directory(base, 'flat');
  await mounts.bind(source, flat, { ...PLAIN, readOnly: true });
  assert.deepEqual(readdirSync(join(flat, 'inner')), [], 'not recursive: the directory beneath the mount');
});

test('what is mounted inside of a bind does not appear in its source', needsRoot, async (context) => {
  const { base, mounts } = scene(context);
  const source = directory(base, 'shared');
  directory(source, 'logs');
  const target = directory(base, 'task/alloc');
  await mounts.bind(source, target, PLAIN);
  await mounts.bind(join(source, 'logs'), join(target, 'logs'), { ...PLAIN, readOnly: true });
  assert.throws(() => writeFileSync(join(target, 'logs/x'), 'x'), { code: 'EROFS' });
  writeFileSync(join(source, 'logs/x'), 'written');
  assert.equal(readFileSync(join(target, 'logs/x'), 'utf8'), 'written');
});

test('no link leads a target away, nor a source that lies in the tree', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const outside = directory(folder, 'outside/inner');
  const source = directory(base, 'source');
  symlinkSync(join(folder, 'outside'), join(base, 'link'));
  symlinkSync(outside, join(base, 'source-link'));
  for (const target of [join(base, 'link/inner'), join(base, 'link'), `${base}/../outside/inner`]) {
    await assert.rejects(mounts.bind(source, target, PLAIN), { code: /INVALID/ }, target);
    await assert.rejects(mounts.unmount(target), { code: /INVALID/ }, target);
  }
  await assert.rejects(mounts.bind(join(base, 'source-link'), source, PLAIN), { code: 'INVALID_PATH' });
  assert.deepEqual(await mounts.list(folder), []);
});

test(
  '[S158] unmount reaches a mount whose parent was renamed, and never what a link leads to',
  needsRoot,
  async (context) => {
    const { folder, base, mounts } = scene(context);
    const target = directory(base, 'task/usr/local');
    await mounts.bind(directory(folder, 'source'), target, PLAIN);
    const other = directory(folder, 'other/local');
    await mounts.mountTmpfs(other, { sizeBytes: MIB, mode: 0o777, uid: 0, gid: 0 });
    renameSync(join(base, 'task/usr'), join(base, 'task/elsewhere'));
    symlinkSync(join(folder, 'other'), join(base, 'task/usr'));
    await assert.rejects(mounts.unmount(target), { code: 'INVALID_PATH' });
    assert.deepEqual(
      (await mounts.list(folder)).map(({ mountPoint }) => mountPoint).sort(),
      [join(base, 'task/elsewhere/local'), other].sort(),
    );
    await mounts.unmount(join(base, 'task/elsewhere/local'));
    assert.equal((await mounts.list(base)).length, 0);
  },
);

test('unmount of what is in use is refused and says for whom', needsRoot, async (context) => {
  const { folder, mounts } = scene(context);
  const target = directory(folder, 'memory');
  await mounts.mountTmpfs(target, { sizeBytes: MIB, mode: 0o777, uid: 0, gid: 0 });
  const user = spawn('sleep', ['1000'], { cwd: target, stdio: 'ignore' });
  context.after(() => user.kill('SIGKILL'));
  await once(user, 'spawn');
  await assert.rejects(mounts.unmount(target), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'BUSY');
    assert.match(error.message, new RegExp(`in use by pid ${user.pid} \\(sleep\\)`));
    return true;
  });
  assert.equal((await mounts.list(target)).length, 1);
  user.kill('SIGKILL');
  await once(user, 'close');
  await mounts.unmount(target);
  await assert.rejects(mounts.unmount(target), { code: 'INVALID_ARGUMENT' });
});

test('a bind of a parent hides the given paths, for good and only there', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const host = directory(folder, 'host');
  const state = directory(host, 'var/state');
  writeFileSync(join(state, 'private'), 'not to be seen');
  writeFileSync(join(host, 'var/public'), 'to be seen');
  const target = directory(base, 'target');
  await mounts.mountTmpfs(directory(state, 'mounted'), { sizeBytes: MIB, mode: 0o700, uid: 0, gid: 0 });
  const hides = [state, join(host, 'missing')];
  await mounts.bind(host, target, { ...PLAIN, readOnly: true, recursive: true, hides });
  assert.equal(readFileSync(join(target, 'var/public'), 'utf8'), 'to be seen');
  assert.deepEqual(readdirSync(join(target, 'var/state')), []);
  assert.throws(() => writeFileSync(join(target, 'var/state/x'), 'x'), { code: 'EROFS' });
  assert.equal(readFileSync(join(state, 'private'), 'utf8'), 'not to be seen', 'the host sees it as before');
  const rows = await mounts.list(folder);
  assert.deepEqual(
    rows.map(({ mountPoint }) => mountPoint),
    [join(state, 'mounted'), target, join(target, 'var/state')],
    'what is mounted in a hidden place is not in the bind, not even beneath its cover',
  );
});

test(
  'a bind that is not recursive hides them too, and shows nothing of what is mounted beneath',
  needsRoot,
  async (context) => {
    const { folder, base, mounts } = scene(context);
    const host = directory(folder, 'host');
    const hides = [directory(host, 'state/inner')];
    writeFileSync(join(host, 'state/inner/private'), 'not to be seen');
    const other = directory(host, 'other');
    await mounts.mountTmpfs(other, { sizeBytes: MIB, mode: 0o700, uid: 0, gid: 0 });
    writeFileSync(join(other, 'file'), '');
    const target = directory(base, 'target');
    await mounts.bind(host, target, { ...PLAIN, readOnly: true, hides });
    assert.deepEqual(readdirSync(join(target, 'state/inner')), []);
    assert.deepEqual(readdirSync(join(target, 'other')), []);
    assert.deepEqual(readdirSync(other), ['file'], 'the host sees it as before');
  },
);

test('a bind of what shall be hidden, or of a link to it, is refused', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const state = directory(folder, 'host/state');
  const target = directory(base, 'target');
  symlinkSync(state, join(folder, 'link'));
  const options = { ...PLAIN, readOnly: true, recursive: true, hides: [state] };
  await assert.rejects(mounts.bind(state, target, options), { code: 'INVALID_PATH' });
  await assert.rejects(mounts.bind(directory(state, 'inner'), target, options), { code: 'INVALID_PATH' });
  await assert.rejects(mounts.bind(join(folder, 'link'), target, options), { code: 'INVALID_PATH' });
  assert.deepEqual(await mounts.list(target), []);
});

test('a bind of the whole host ends, and has nothing of the hidden places', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const target = directory(base, 'root');
  await mounts.bind('/', target, { ...PLAIN, readOnly: true, recursive: true, hides: [folder] });
  assert.ok(existsSync(join(target, 'etc/passwd')));
  assert.deepEqual(readdirSync(join(target, folder)), []);
  assert.throws(() => writeFileSync(join(target, 'etc/written'), ''), { code: 'EROFS' });
  assert.ok(!(await mounts.list(target)).some(({ type }) => type === 'fuse.dunnage'));
});

test('what is missing is said', needsRoot, async (context) => {
  const { folder, base, mounts } = scene(context);
  const source = directory(folder, 'source');
  await assert.rejects(mounts.bind(source, join(base, 'missing'), PLAIN), { code: 'NOT_FOUND' });
  await assert.rejects(mounts.bind(join(folder, 'missing'), directory(base, 'x'), PLAIN), { code: 'NOT_FOUND' });
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(mounts.bind(source, join(base, 'file'), PLAIN), { code: 'NOT_A_DIRECTORY' });
});
