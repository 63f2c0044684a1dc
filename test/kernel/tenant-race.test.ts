/** Tenants race, the daemon's side looks: for a few seconds here, for as long as DUNNAGE_RACE_SECONDS says elsewhere. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeAlloc, removeLeftovers } from '../../src/alloc/alloc-removal.ts';
import { AllocFiles } from '../../src/alloc/files/alloc-files.ts';
import { StableLogNames } from '../../src/alloc/files/stable-log-names.ts';
import { PlainDirectory } from '../../src/alloc/plain-directory.ts';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { Inotify } from '../../src/native/inotify.ts';
import { LoopbackMount } from './helpers/loopback.ts';
import {
  prepareRace,
  type RaceScene,
  raceAgainst,
  snapshotAgainst,
  stateOfOutside,
  TenantRacer,
} from './helpers/tenant-race.ts';

const SECONDS = Number(process.env['DUNNAGE_RACE_SECONDS'] ?? 3);
const TENANT_THREADS = 4;
const QUESTIONS_AT_ONCE = 6;

function plainScene(context: TestContext): RaceScene {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-race-'));
  chmodSync(folder, 0o755);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, 'allocs/a1');
  mkdirSync(root, { recursive: true });
  return { root, tenantRoot: root, outside: join(folder, 'allocs/outside') };
}

/** `during`: what is done at the end, while the tenants still race. */
async function race(scene: RaceScene, during: () => Promise<void> = async () => undefined): Promise<void> {
  prepareRace(scene);
  const before = stateOfOutside(scene);
  const inotify = new Inotify();
  const files = new AllocFiles({ root: scene.root, tasks: () => ['web'], inotify });
  const options = { root: scene.root, tasks: () => ['web'], changed: async () => undefined, log: silentLog, inotify };
  const names = new StableLogNames(options);
  const racer = await TenantRacer.start(scene, TENANT_THREADS);
  try {
    await names.start();
    const questions = Array.from({ length: QUESTIONS_AT_ONCE }, (_, seed) => raceAgainst(files, SECONDS * 1000, seed));
    const snapshots = snapshotAgainst(scene, SECONDS * 1000);
    const tallies = await Promise.all(questions);
    assert.ok((await snapshots).archived > 0);
    await during();
    assert.equal(racer.isRunning, true);
    const sum = (key: 'calls' | 'answers' | 'refusals' | 'bytes'): number => tallies.reduce((s, t) => s + t[key], 0);
    // Both sides met: there were answers, refusals and content.
    for (const key of ['answers', 'refusals', 'bytes'] as const) assert.ok(sum(key) > 0, `no ${key}`);
    assert.deepEqual(stateOfOutside(scene), before);
  } finally {
    await racer.stop();
    await names.close();
  }
  assert.equal(inotify.isIdle, true, 'every follower has let go');
}

const skip = process.getuid?.() === 0 ? false : 'tenants get a root directory of their own, which needs root';

test('[S172] tenants who race renames and links on a plain directory lead nobody out, nor to their secrets', {
  skip,
}, async (context) => {
  const scene = plainScene(context);
  const [path, runtimePath] = [dirname(scene.root), join(dirname(dirname(scene.root)), 'runtime')];
  const directory = await PlainDirectory.open({ path, runtimePath });
  context.after(() => directory.close());
  await race(scene, async () => {
    // Tenants who go on making files may keep theirs from being removed, and nothing else.
    await removeAlloc(directory, 'a1', ['web']).catch((error: unknown) =>
      assert.ok(error instanceof DunnageError, String(error)),
    );
    assert.equal(existsSync(scene.root), false);
  });
  await removeLeftovers(directory);
  assert.deepEqual(readdirSync(directory.stagingPath), []);
});

test('[S172] tenants who race through the mount lead nobody out of the directory that it shows', {
  skip,
}, async (context) => {
  const mount = await LoopbackMount.make();
  context.after(() => mount.clean());
  const scene = { root: mount.backing('a1'), tenantRoot: mount.path('a1'), outside: mount.backing('outside') };
  mkdirSync(scene.root);
  await race(scene);
});
