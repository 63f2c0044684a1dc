/**
 * kill -9 of the daemon in the course of creating, deleting, restoring and moving an alloc: the old or the new state, whole, mended by
 * the next daemon. Some moments of each; all of them with DUNNAGE_SOAK=1.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { only } from '../server/fake-operations.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { allocManifest, deleteAllocs, inAlloc, mountsOf, mountsOfAlloc, untilGone } from './helpers/alloc-daemon.ts';
import { startDaemon } from './helpers/projected.ts';

const PROGRAM = fileURLToPath(new URL('./programs/dying-daemon.js', import.meta.url));
const WEB = { name: 'web' };
const MOUNTS = ['(private) web', '(secrets) web', 'web/secrets'];
/** Nobody gets as far: the daemon is ended in order, and has told its steps. */
const NEVER = 1_000_000;

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
afterEach(async () => {
  await deleteAllocs(daemon);
  for (const name of ['armed', 'steps']) await rm(join(daemon.folder, name), { force: true });
});
after(() => daemon.stop());

/** Takes the tree over with a daemon that dies at that step of the work, and over again with one that lives. The steps that were begun. */
async function dieAt(step: number | string, work: () => Promise<unknown>): Promise<readonly string[]> {
  await daemon.dunnage('down', '--keep');
  const settings = JSON.stringify({ folder: daemon.folder, dieAtAllocStep: step });
  const child = spawn(process.execPath, [PROGRAM, settings], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  await writeFile(join(daemon.folder, 'armed'), '');
  const outcome = await work().then(
    () => 'done',
    () => 'cut off',
  );
  if (outcome === 'done') child.kill('SIGKILL');
  await exited;
  await rm(join(daemon.folder, 'armed'));
  await daemon.up();
  const steps = await readFile(join(daemon.folder, 'steps'), 'utf8').catch(() => '');
  await rm(join(daemon.folder, 'steps'), { force: true });
  return steps.split('\n').filter((line) => line !== '');
}

const isSoak = process.env['DUNNAGE_SOAK'] !== undefined;

/** Steps to die at: the named ones; with DUNNAGE_SOAK every one, counted in a run to the end, which `again` takes back. */
async function moments(
  named: readonly string[],
  work: () => Promise<unknown>,
  again: () => Promise<unknown>,
): Promise<readonly (number | string)[]> {
  if (!isSoak) return named;
  const steps = await dieAt(NEVER, work);
  await again();
  return steps.map((_, index) => index + 1);
}

async function assertWhole(id: string): Promise<void> {
  const { state, notes } = await daemon.client.getAlloc(id);
  assert.deepEqual([state, notes], ['ready', []]);
  assert.deepEqual(await mountsOfAlloc(daemon, id), MOUNTS);
  await writeFile(inAlloc(daemon, id, 'web/local/probe'), 'x');
  await rm(inAlloc(daemon, id, 'web/local/probe'));
}

async function assertNothingLeft(): Promise<void> {
  assert.equal((await mountsOf(daemon)).length, 4);
  for (const place of ['tree', 'staging']) assert.deepEqual(await readdir(join(daemon.stateDir, 'allocs', place)), []);
}

describe('kill -9 in the course of', { timeout: 600_000 }, () => {
  const make = (): Promise<unknown> => daemon.client.apply(allocManifest('a1', WEB));
  const remove = (): Promise<unknown> => daemon.client.deleteAlloc('a1');

  it('creating: the alloc is whole, or was never there', async () => {
    for (const step of await moments(['record creating', 'bind', 'record ready'], make, remove)) {
      await dieAt(step, make);
      const isThere = (await daemon.client.listAllocs()).length > 0;
      assert.equal(isThere, step !== 'record creating' && step !== 1);
      if (isThere) {
        await assertWhole('a1');
        await remove();
      }
      await assertNothingLeft();
    }
  });

  it('deleting: it is whole, or gone without a trace', async () => {
    await make();
    for (const step of await moments(['unmount', 'record gone'], remove, make)) {
      await dieAt(step, remove);
      if (step === 1) {
        await assertWhole('a1');
        await remove();
      } else await untilGone(daemon, 'a1');
      await assertNothingLeft();
      await make();
    }
  });

  it('[S164] restoring: the old data or the new, and the alloc is ready', async () => {
    await make();
    const places = [inAlloc(daemon, 'a1/alloc/data/f'), inAlloc(daemon, 'a1/web/local/f')];
    const write = async (text: string): Promise<void> => {
      for (const place of places) await writeFile(place, text);
    };
    await write('new');
    const tar: Uint8Array[] = [];
    for await (const chunk of await daemon.client.snapshotAlloc('a1')) tar.push(Uint8Array.from(chunk));
    const restore = (): Promise<unknown> => daemon.client.restoreAlloc('a1', only(...tar));
    for (const step of await moments(['forget', 'record ready'], restore, make)) {
      await write('old');
      await dieAt(step, restore);
      const found = await Promise.all(places.map((place) => readFile(place, 'utf8')));
      assert.ok(['old,old', 'new,new'].includes(found.join()), `${step}: ${found}`);
      await assertWhole('a1');
    }
  });

  it('[S164] moving: data is in one of the two, and both are ready', async () => {
    const move = (): Promise<unknown> => daemon.client.moveAlloc('a1', 'a2');
    const prepare = async (): Promise<void> => {
      for (const id of ['a1', 'a2']) await daemon.client.apply(allocManifest(id, WEB));
      await mkdir(inAlloc(daemon, 'a1/alloc/data/d'));
      await writeFile(inAlloc(daemon, 'a1/web/local/f'), 'moved');
    };
    const clear = async (): Promise<void> => {
      for (const id of ['a1', 'a2']) await daemon.client.deleteAlloc(id);
    };
    await prepare();
    const again = async (): Promise<void> => {
      await clear();
      await prepare();
    };
    for (const step of await moments(['forget'], move, again)) {
      await dieAt(step, move);
      for (const id of ['a1', 'a2']) await assertWhole(id);
      const place = step === 1 ? 'a1' : 'a2';
      assert.equal(await readFile(inAlloc(daemon, place, 'web/local/f'), 'utf8'), 'moved');
      assert.deepEqual(await readdir(inAlloc(daemon, place, 'alloc/data')), ['d']);
      await again();
    }
  });

  it('a deletion breaks off a restore that is under way, and leaves nothing', async () => {
    await daemon.client.apply(allocManifest('a1', WEB));
    const never = (async function* () {
      yield Buffer.alloc(1024);
      await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    })();
    const restoring = assert.rejects(daemon.client.restoreAlloc('a1', never));
    await until('the restore', async () => (await daemon.client.getAlloc('a1')).state === 'restoring');
    assert.equal((await daemon.client.deleteAlloc('a1')).deleted, true);
    await restoring;
    await assertNothingLeft();
  });
});
