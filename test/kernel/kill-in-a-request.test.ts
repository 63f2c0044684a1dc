/**
 * kill -9 of a daemon that has taken requests and not answered them: a swap's rename that is being flushed, and a read. Whoever
 * waits cannot be killed then, so the next daemon must answer: from what the kernel sends again, or from the journal.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { within } from './helpers/child-daemon.ts';
import { mountsBeneath, waitingRequests } from './helpers/fuse-connections.ts';
import { projectionRoot, startDaemon, text, timestampDirectories } from './helpers/projected.ts';
import { begin, run } from './helpers/run.ts';

const PROGRAM = fileURLToPath(new URL('./programs/dying-daemon.js', import.meta.url));
const OLD = { a: 'old', b: 'old' };
const NEW = { b: 'new', c: 'new' };
/** mkdir, symlink, rename. */
const RENAME = 2;
/** Too large to lie in the metadata: read by the pool. */
const LARGE = 'x'.repeat(200_000);
const TIMEOUT_MS = 30_000;

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
  await daemon.client.writeProjection('web', text(OLD));
  await daemon.client.writeProjection('large', text({ key: LARGE }));
  await daemon.dunnage('down', '--keep');
  await run('mkfifo', [join(daemon.folder, 'pipe')]);
});
afterEach(() => daemon.stop());

async function agentOf(pid: number): Promise<number> {
  for (const entry of await readdir('/proc')) {
    const status = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '') : '';
    if (new RegExp(`^\\d+ \\(dunnage-agent\\) \\S ${pid} `).test(status)) return Number(entry);
  }
  throw new Error(`daemon ${pid} has no agent`);
}

/** A thread of the process is in state D; its leader may have ended before. */
async function waitsUninterruptibly(pid: number): Promise<boolean> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = tasks.map((task) => readFile(`/proc/${pid}/task/${task}/stat`, 'utf8').catch(() => ''));
  return (await Promise.all(states)).some((state) => /\) D /.test(state));
}

async function untilNotWaiting(pid: number): Promise<void> {
  while (await waitsUninterruptibly(pid)) await pause(10);
}

/** Until so many requests wait on the projections connection, and the daemon has read them. */
async function untilTaken(count: number): Promise<void> {
  const mount = (await mountsBeneath(daemon.mountPoint)).find(({ target }) => target.endsWith('/projections'));
  assert.ok(mount !== undefined);
  while ((await waitingRequests(mount.minor)) < count);
  // Each is a round of the thread that reads them.
  for (let round = 0; round < 3; round += 1) await daemon.client.status();
}

describe('kill -9 with requests taken and not answered, then a takeover', () => {
  it('[S5] answers the rename of a swap and a read, and leaves nobody waiting', { timeout: 120_000 }, async () => {
    const settings = { folder: daemon.folder, stallBeforeOperation: RENAME };
    const dying = spawn(process.execPath, [PROGRAM, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(dying, 'exit');
    await once(dying.stdout, 'data');
    const agent = await agentOf(dying.pid as number);
    await writeFile(join(daemon.folder, 'armed'), '');
    const written = assert.rejects(daemon.client.writeProjection('web', text(NEW)));
    await within(untilTaken(1), TIMEOUT_MS, 'the rename is taken');
    const reader = begin('cat', [join(projectionRoot(daemon, 'large'), 'key')]);
    await within(untilTaken(2), TIMEOUT_MS, 'the read is taken');

    dying.kill('SIGKILL');
    await Promise.all([exited, written]);
    reader.process.kill('SIGTERM');
    assert.ok(await waitsUninterruptibly(agent), 'the agent waits for an answer that cannot come any more');

    await daemon.up();
    assert.ok((await daemon.client.status()).takenOver);
    await within(untilNotWaiting(agent), TIMEOUT_MS, 'the agent goes on');
    const { signal } = await within(reader.ended, TIMEOUT_MS, 'the reader goes on');
    assert.equal(signal, 'SIGTERM');
    assert.equal(await readFile(join(projectionRoot(daemon, 'large'), 'key'), 'utf8'), LARGE);
    await assertOldOrNew();
    await daemon.client.writeProjection('web', text(NEW));
    assert.equal(await assertOldOrNew(), NEW);
    const { warnings, connections } = await daemon.client.status();
    assert.deepEqual(warnings, []);
    for (const { name, unanswered } of connections) assert.equal(unanswered, 0, name);
  });
});

async function assertOldOrNew(): Promise<typeof OLD | typeof NEW> {
  const root = projectionRoot(daemon, 'web');
  const wanted = (await readFile(join(root, 'b'), 'utf8')) === 'old' ? OLD : NEW;
  const names = await readdir(root);
  assert.deepEqual(new Set(names.filter((name) => !name.startsWith('..'))), new Set(Object.keys(wanted)));
  for (const [name, content] of Object.entries(wanted)) assert.equal(await readFile(join(root, name), 'utf8'), content);
  assert.ok(!names.includes('..data_tmp'));
  assert.equal((await timestampDirectories(root)).length, 1);
  return wanted;
}
