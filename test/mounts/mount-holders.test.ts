import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeHolders, findMountHolders } from '../../src/mounts/mount-holders.ts';
import { loadNative } from '../../src/native/load.ts';
import { skipUnlessRoot } from '../native/helpers/fuse-available.ts';

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

test('a process is found by its working directory and its descriptors, also in a mount namespace of its own', {
  skip: skipUnlessRoot(),
}, async (context) => {
  const target = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-holders-')));
  const mount = spawn('mount', ['-t', 'tmpfs', 'none', target], { stdio: 'inherit' });
  await once(mount, 'close');
  context.after(() => {
    loadNative().unmount(target, true);
    rmdirSync(target);
  });
  assert.deepEqual(await findMountHolders(target), []);
  loadNative().setPropagation(target, 'shared', false);
  const script = `cd ${target} && exec 5>held && exec sleep 1000`;
  const users = [
    spawn('sh', ['-c', script], { stdio: 'ignore' }),
    spawn('unshare', ['-m', '--propagation', 'slave', 'sh', '-c', `${script} && :`], { stdio: 'ignore' }),
  ];
  context.after(() => {
    for (const user of users) user.kill('SIGKILL');
  });
  let holders = await findMountHolders(target);
  // They say nothing when they are there: /proc is what tells it.
  while (holders.filter(({ uses }) => uses.includes('open file')).length < 2) holders = await findMountHolders(target);
  assert.deepEqual(new Set(holders.map(({ pid }) => pid)), new Set(users.map(({ pid }) => pid)));
  for (const { uses } of holders) assert.deepEqual(uses, ['working directory', 'open file']);
});

test('nothing is mounted there: nobody holds it', async () => {
  assert.deepEqual(await findMountHolders('/no/such/mount'), []);
});
