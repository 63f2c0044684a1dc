import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { describeHolders, findMountHolders } from '../../src/mounts/mount-holders.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import { loadNative } from '../../src/native/load.ts';
import { skipUnlessRoot } from '../native/helpers/fuse-available.ts';

const needsRoot = { skip: skipUnlessRoot() };

test('holders are told as people name processes, a few of many', () => {
  const holder = (pid: number, program = 'sh'): { pid: number; program: string; uses: string[] } => ({
    pid,
    program,
    uses: [],
  });
  assert.equal(describeHolders([holder(7), holder(8, '')]), 'pid 7 (sh), pid 8');
  assert.match(describeHolders([1, 2, 3, 4, 5, 6, 7].map((pid) => holder(pid))), /pid 5 \(sh\) and 2 more$/);
  assert.match(describeHolders([]), /cannot be named/);
});

test('a process is found by what it uses, also in a mount namespace of its own', needsRoot, async (context) => {
  // Shared, so that an unmount beneath it goes to the namespaces that have a slave of it.
  const parent = tmpfs(context);
  loadNative().setPropagation(parent, 'shared', false);
  const target = tmpfs(context, join(parent, 'target'));
  assert.deepEqual(await findMountHolders(target), []);
  const script = `cd ${target} && exec 5>held && exec sleep 1000`;
  const users = [
    spawn('sh', ['-c', script], { stdio: 'ignore' }),
    spawn('unshare', ['-m', '--propagation', 'slave', 'sh', '-c', script], { stdio: 'ignore' }),
  ];
  context.after(() => users.map((user) => user.kill('SIGKILL')));
  let holders = await findMountHolders(target);
  // They say nothing when they are there: /proc is what tells it.
  while (holders.filter(({ uses }) => uses.includes('open file')).length < 2) holders = await findMountHolders(target);
  assert.deepEqual(new Set(holders.map(({ pid }) => pid)), new Set(users.map(({ pid }) => pid)));
  for (const { uses } of holders) assert.deepEqual(uses, ['working directory', 'open file']);
  assert.throws(() => loadNative().unmount(target, false), { code: 'EBUSY' });
});

test("who has a mount of his own of the same directory is in nobody's way", needsRoot, async (context) => {
  const target = tmpfs(context);
  const other = tmpfs(context);
  const own = join(other, 'own');
  mkdirSync(own);
  loadNative().bindMount(target, own, false);
  const user = spawn('sleep', ['1000'], { cwd: own, stdio: 'ignore' });
  context.after(() => user.kill('SIGKILL'));
  await once(user, 'spawn');
  assert.deepEqual(await findMountHolders(target), []);
  loadNative().unmount(target, false);
  assert.equal((await findMountHolders(own))[0]?.pid, user.pid);
});

function tmpfs(context: TestContext, path = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-holders-')))): string {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'none', path]);
  context.after(async () => {
    if ((await findMount(path)) !== undefined) loadNative().unmount(path, true);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

test('nothing is mounted there: nobody holds it', async () => {
  assert.deepEqual(await findMountHolders('/no/such/mount'), []);
});
