import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { StableLogNames } from '../../../src/alloc/files/stable-log-names.ts';
import { silentLog } from '../../../src/base/log.ts';
import { AllocScene } from './helpers/alloc-scene.ts';

let scene: AllocScene;
let names: StableLogNames;
let changes: string[];
let wake: () => void;

beforeEach(() => {
  scene = new AllocScene();
  changes = [];
  wake = () => undefined;
  names = new StableLogNames({
    root: scene.root,
    tasks: () => ['web', 'db'],
    changed: async (path) => {
      changes.push(path);
      wake();
    },
    log: silentLog,
    inotify: scene.inotify,
  });
});
afterEach(async () => {
  await names.close();
  assert.equal(scene.inotify.isIdle, true);
  await scene.close();
});

const STDOUT = 'alloc/logs/web.stdout';

async function untilChanges(count: number): Promise<void> {
  while (changes.length < count) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

test('[S176] at the start every log has its link, and what a crash has left is gone', async () => {
  for (const name of ['web.stdout.2', 'web.stdout.10', 'db.stderr.0', 'other.stdout.0'])
    scene.write(`alloc/logs/${name}`, name);
  scene.link(STDOUT, 'web.stdout.2');
  scene.link('alloc/logs/.dunnage-log-00', 'web.stdout.10');
  await names.start();
  assert.equal(readlinkSync(scene.path(STDOUT)), 'web.stdout.10');
  assert.equal(readFileSync(scene.path('alloc/logs/db.stderr'), 'utf8'), 'db.stderr.0');
  assert.deepEqual(readdirSync(scene.path('alloc/logs')).sort(), [
    'db.stderr',
    'db.stderr.0',
    'other.stdout.0',
    'web.stdout',
    'web.stdout.10',
    'web.stdout.2',
  ]);
  assert.deepEqual(changes.sort(), ['alloc/logs/db.stderr', STDOUT]);
});

test('[S176] a new log file turns the link, whose name is never missing', async () => {
  scene.write(`${STDOUT}.0`, '0');
  await names.start();
  for (let index = 1; index <= 20; index += 1) {
    scene.write(`${STDOUT}.${index}`, String(index));
    while (readlinkSync(scene.path(STDOUT)) !== `web.stdout.${index}`) await new Promise(setImmediate);
  }
  assert.deepEqual(
    readdirSync(scene.path('alloc/logs')).filter((name) => name.startsWith('.')),
    [],
  );
});

test('the first log file of a task makes the link, also where alloc/logs comes later or is made anew', async () => {
  rmSync(scene.path('alloc/logs'), { recursive: true });
  await names.start();
  scene.write(`${STDOUT}.0`, '0');
  await untilChanges(1);
  renameSync(scene.path('alloc/logs'), scene.path('alloc/old'));
  scene.write(`${STDOUT}.7`, '7');
  await untilChanges(2);
  assert.equal(readlinkSync(scene.path(STDOUT)), 'web.stdout.7');
  assert.equal(readlinkSync(scene.path('alloc/old/web.stdout')), 'web.stdout.0');
});

test('if the newest goes the link turns back', async () => {
  for (const index of [0, 1]) scene.write(`${STDOUT}.${index}`, '');
  await names.start();
  rmSync(scene.path(`${STDOUT}.1`));
  await untilChanges(2);
  assert.equal(readlinkSync(scene.path(STDOUT)), 'web.stdout.0');
});

test('what a tenant has put under the name stays', async () => {
  scene.write(STDOUT, 'own');
  scene.directory('alloc/logs/web.stderr');
  for (const name of ['web.stdout.0', 'web.stderr.0']) scene.write(`alloc/logs/${name}`, '');
  await names.start();
  assert.equal(readFileSync(scene.path(STDOUT), 'utf8'), 'own');
  assert.equal(lstatSync(scene.path('alloc/logs/web.stderr')).isDirectory(), true);
  assert.deepEqual(changes, []);
});

test('no link is made where alloc/logs is a link itself', async () => {
  rmSync(scene.path('alloc/logs'), { recursive: true });
  mkdirSync(scene.path('web/local/logs'));
  symlinkSync('../web/local/logs', scene.path('alloc/logs'));
  scene.write('web/local/logs/web.stdout.0', '');
  await names.start();
  assert.deepEqual(readdirSync(scene.path('web/local/logs')), ['web.stdout.0']);
});
