/** kill -9 at every step of a write: the old or the new content, nothing in between, mended by the next daemon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { projectionRoot, startDaemon, text, timestampDirectories } from './helpers/projected.ts';

const PROGRAM = fileURLToPath(new URL('./programs/dying-daemon.js', import.meta.url));
const OLD = { a: 'old', b: 'old', 'c/d': 'old' };
const NEW = { b: 'new', 'c/e': 'new', f: 'new' };

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon.stop());

/** Another one in each test. */
let web: string;
let webs = 0;
/** Of a live file that the write changes. */
let watch: InotifyWatch;
beforeEach(async () => {
  webs += 1;
  web = `web-${webs}`;
  await daemon.client.writeProjection(web, text(OLD));
  watch = await InotifyWatch.start(join(daemon.mountPoint, 'live', web, 'b'));
  await daemon.dunnage('down', '--keep');
});
afterEach(() => watch.stop());

/** Takes the tree over with a daemon that dies in the course of the write; resolves when it is dead. */
async function writeAndDie(settings: { dieAtStep?: string; dieBeforeOperation?: number }): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ folder: daemon.folder, ...settings })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  await writeFile(join(daemon.folder, 'armed'), '');
  await assert.rejects(daemon.client.writeProjection(web, text(NEW)));
  const [, signal] = await exited;
  assert.equal(signal, 'SIGKILL');
  await rm(join(daemon.folder, 'armed'));
}

async function contents(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of new Set([...Object.keys(OLD), ...Object.keys(NEW)])) {
    const content = await readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (content !== undefined) found[path] = content;
  }
  return found;
}

async function assertOldOrNew(expected: 'old' | 'new'): Promise<void> {
  const root = projectionRoot(daemon, web);
  const wanted = expected === 'old' ? OLD : NEW;
  assert.deepEqual(await contents(root), wanted);
  const names = await readdir(root);
  const visible = names.filter((name) => !name.startsWith('..'));
  assert.deepEqual(new Set(visible), new Set(Object.keys(wanted).map((path) => path.split('/')[0])));
  assert.ok(!names.includes('..data_tmp'));
  assert.equal((await timestampDirectories(root)).length, 1);
  const live = join(daemon.mountPoint, 'live', web);
  assert.deepEqual(await contents(live), wanted);
  assert.deepEqual((await readdir(live)).sort(), visible.sort());
}

const isClosedAfterWrite = ({ events }: SeenEvent): boolean => events.includes('CLOSE_WRITE');

const moments: readonly {
  readonly name: string;
  readonly at: { dieAtStep?: string; dieBeforeOperation?: number };
  readonly left: 'old' | 'new';
}[] = [
  { name: 'after validation', at: { dieAtStep: 'validated' }, left: 'old' },
  { name: 'after the sweep', at: { dieAtStep: 'swept' }, left: 'old' },
  { name: 'after the comparison', at: { dieAtStep: 'inspected' }, left: 'old' },
  { name: 'after staging', at: { dieAtStep: 'staged' }, left: 'old' },
  { name: 'before mkdir', at: { dieBeforeOperation: 0 }, left: 'old' },
  { name: 'before symlink ..data_tmp', at: { dieBeforeOperation: 1 }, left: 'old' },
  { name: 'before rename', at: { dieBeforeOperation: 2 }, left: 'old' },
  { name: 'after publication', at: { dieAtStep: 'published' }, left: 'new' },
  { name: 'before the new link', at: { dieBeforeOperation: 3 }, left: 'new' },
  { name: 'before the stale link goes', at: { dieBeforeOperation: 4 }, left: 'new' },
  { name: 'after the links', at: { dieAtStep: 'linked' }, left: 'new' },
];

describe('kill -9 in a write, then a takeover', () => {
  for (const { name, at, left } of moments) {
    it(`[S4] [S55] ${name}: the ${left} content`, async () => {
      await writeAndDie(at);
      await daemon.up();
      assert.ok((await daemon.client.status()).takenOver);
      await assertOldOrNew(left);
      // Told by the daemon that died or by the one that took over, and before that has anything else to do.
      if (left === 'new') await watch.until(isClosedAfterWrite);
      else assert.ok(!watch.seen.some(isClosedAfterWrite));
      await daemon.client.writeProjection(web, text(NEW));
      await assertOldOrNew('new');
      await watch.until(isClosedAfterWrite);
    });
  }
});

describe('kill -9 in a write of daemon and holder, then a new mount', () => {
  for (const { name, at, left } of moments) {
    it(`[S4] ${name}: the ${left} content`, async () => {
      await writeAndDie(at);
      await daemon.dunnage('down');
      await daemon.up();
      assert.equal((await daemon.client.status()).takenOver, false);
      await assertOldOrNew(left);
    });
  }
});
