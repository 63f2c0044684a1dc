import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findDeviceUsers, findOwnMounts } from '../../../src/thinpool/service/device-users.ts';
import { skipUnlessLoops } from '../../tools/scratch-file-system.ts';

test('who has a block device open is told by name, and what is no device has no users', {
  skip: skipUnlessLoops(),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-users-'));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  truncateSync(file, 1024 * 1024);
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  t.after(() => {
    execFileSync('losetup', ['--detach', device]);
    rmSync(folder, { recursive: true });
  });
  assert.deepEqual(await findDeviceUsers(device), []);
  const holder = spawn('sh', ['-c', 'exec 3<"$0"; echo there; read line', device], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(holder, 'close');
  t.after(async () => {
    holder.kill('SIGKILL');
    await ended;
  });
  await once(holder.stdout, 'data');
  assert.deepEqual(await findDeviceUsers(device), [`open by pid ${holder.pid} (sh)`]);
  assert.deepEqual(await findOwnMounts(device), []);
  for (const path of [file, join(folder, 'missing')]) assert.deepEqual(await findDeviceUsers(path), []);
});
