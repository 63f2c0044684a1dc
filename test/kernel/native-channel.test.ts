/** The addon's channel on real mounts. The child serves; the test only waits, and cleans up whatever happens. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findMount } from '../../src/mounts/mount-table.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';
import { abortConnection } from './helpers/fuse-connections.ts';

const SCENE = fileURLToPath(new URL('../native/helpers/mount-scene.js', import.meta.url));
const SCENE_TIMEOUT_MS = 90_000;
const ENODEV = 19;
const LEAK_BYTES_PER_ROUND = 16 * 1024;

async function playScene(scene: string): Promise<unknown> {
  const target = mkdtempSync(join(tmpdir(), 'dunnage-channel-'));
  const child = spawn(process.execPath, ['--expose-gc', SCENE, scene, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const timer = setTimeout(() => void freeAndKill(target, child.pid as number), SCENE_TIMEOUT_MS);
  try {
    await new Promise((resolve) => child.on('close', resolve));
    return JSON.parse(output === '' ? 'null' : output);
  } finally {
    clearTimeout(timer);
    await freeAndKill(target, undefined);
    rmdirSync(target);
  }
}

async function freeAndKill(target: string, pid: number | undefined): Promise<void> {
  const { loadNative } = await import('../../src/native/load.ts');
  for (let mount = await findMount(target); mount !== undefined; mount = await findMount(target)) {
    await abortConnection(Number(mount.deviceId.split(':')[1]));
    loadNative().unmount(target, true);
  }
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

const skip = skipUnlessFuse();

test('a thousand mounts end with ENODEV and leave neither descriptors nor memory behind', { skip }, async () => {
  const result = (await playScene('rounds')) as {
    measured: { descriptors: number; residentBytes: number }[];
    errnos: number[];
  };
  assert.deepEqual(result.errnos, [ENODEV]);
  assert.equal(new Set(result.measured.map(({ descriptors }) => descriptors)).size, 1);
  // A leak grows in each quarter; the collector and the allocator, which take memory when they like, do not.
  const resident = result.measured.map(({ residentBytes }) => residentBytes);
  const grown = resident.slice(1).map((bytes, index) => bytes - (resident[index] ?? 0));
  assert.ok(Math.min(...grown) < LEAK_BYTES_PER_ROUND * 250, `grown by ${grown} bytes`);
});

test('close does not wait for a notification that waits for an open request', { skip }, async () => {
  assert.deepEqual(await playScene('closeWhileBlocked'), {
    pending: 2,
    pendingAfter: 1,
    sent: 0,
    exitCode: 1,
    descriptorsLeft: 0,
  });
});

test('a worker can be terminated while its notifier waits for an open request', { skip }, async () => {
  assert.deepEqual(await playScene('terminateWhileBlocked'), { exitCode: 1, sent: 0, clientCode: 1 });
});
