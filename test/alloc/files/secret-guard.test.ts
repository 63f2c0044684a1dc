import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { AllocFiles } from '../../../src/alloc/files/alloc-files.ts';
import { AllocScene } from './helpers/alloc-scene.ts';

let scene: AllocScene;
let files: AllocFiles;
beforeEach(() => {
  scene = new AllocScene({
    guarded: () => [{ task: 'web', kind: 'private', path: join(scene.folder, 'runtime') }],
  });
  files = scene.files;
  scene.write('web/secrets/test_file', 'SECRET');
  scene.write('web/local/plain', 'plain');
});
afterEach(() => scene.close());

/** Every way of the file API to what a path leads to. */
async function assertRefused(path: string, message: string): Promise<void> {
  const refused = { code: 'PERMISSION_DENIED', message };
  await assert.rejects(files.list(path), refused);
  await assert.rejects(files.stat(path), refused);
  await assert.rejects(files.readAt(path, 0), refused);
  await assert.rejects(files.blockUntilExists(path, scene.signal), refused);
  const follow = files.follow(path, { follow: false, signal: scene.signal });
  await assert.rejects(follow.next(), refused);
  await assert.rejects(files.changeEvents(path, 0, scene.signal).next(), refused);
}

describe('secrets are refused by list, stat, read and follow', () => {
  test('by name, in any case, also where nothing is [S170]', async () => {
    for (const path of ['web/secrets/test_file', '/web//secrets/test_file', 'web/secrets', 'db/secrets/nothing']) {
      await assertRefused(path, `Reading secret file prohibited: ${path}`);
    }
    await assertRefused('web/sEcReTs/test_file', 'Reading secret file prohibited: web/sEcReTs/test_file');
    await assertRefused('web/private/x', 'Reading private file prohibited: web/private/x');
    await assertRefused(
      'web/local/../secrets/test_file',
      'Reading secret file prohibited: web/local/../secrets/test_file',
    );
  });

  test('over links to the directory, into it and through other tasks [S170]', async () => {
    scene.link('web/local/directory', '../secrets');
    scene.link('web/local/file', '../secrets/test_file');
    scene.link('db/local/chain', '../../web/local/directory');
    for (const path of ['web/local/directory', 'web/local/file', 'db/local/chain/test_file']) {
      await assertRefused(path, `Reading secret file prohibited: ${path}`);
    }
  });

  test('over hard links, with any name and in any directory [S170]', async () => {
    scene.write('web/secrets/below/deep', 'DEEP');
    linkSync(scene.path('web/secrets/test_file'), scene.path('alloc/data/hard'));
    linkSync(scene.path('web/secrets/below/deep'), scene.path('alloc/data/deep'));
    await assertRefused('alloc/data/hard', 'Reading secret file prohibited: alloc/data/hard');
    await assertRefused('alloc/data/deep', 'Reading secret file prohibited: alloc/data/deep');
    linkSync(scene.path('web/local/plain'), scene.path('alloc/data/other'));
    assert.equal((await files.stat('alloc/data/other')).sizeBytes, 5);
    const sizes = new Map((await files.list('alloc/data')).map(({ name, sizeBytes }) => [name, sizeBytes]));
    assert.deepEqual([sizes.get('hard'), sizes.get('deep'), sizes.get('other')], [0, 0, 5]);
  });

  test('over hard links to files whose names are no UTF-8, and in such directories [S170]', async () => {
    const below = Buffer.concat([Buffer.from(`${scene.path('web/secrets')}/`), Buffer.from([0xff])]);
    mkdirSync(below);
    for (const [directory, name] of [
      [Buffer.from(scene.path('web/secrets')), 'hard'],
      [below, 'deep'],
    ] as const) {
      const file = Buffer.concat([directory, Buffer.from('/'), Buffer.from([0xc3, 0x28])]);
      writeFileSync(file, 'BYTES');
      linkSync(file, scene.path(`alloc/data/${name}`));
      await assertRefused(`alloc/data/${name}`, `Reading secret file prohibited: alloc/data/${name}`);
    }
    assert.equal((await files.stat('web/local/plain')).sizeBytes, 5);
  });

  test('as everything is while they lie too deep, or have too long names, to be looked through [S170]', async () => {
    const deep = (levels: number): string => ['web/secrets', ...Array<string>(levels).fill('d')].join('/');
    scene.write(`${deep(63)}/key`, 'KEY');
    assert.equal((await files.stat('web/local/plain')).sizeBytes, 5);
    scene.write(`${deep(64)}/key`, 'KEY');
    linkSync(scene.path(`${deep(64)}/key`), scene.path('alloc/data/deep'));
    await assertRefused('alloc/data/deep', 'Reading secret file prohibited: alloc/data/deep');
    await assertRefused('web/local/plain', 'Reading secret file prohibited: web/local/plain');
    scene.directory(deep(200));
    await assertRefused('web/local/plain', 'Reading secret file prohibited: web/local/plain');
    rmSync(scene.path('web/secrets/d'), { recursive: true });
    assert.equal((await files.stat('web/local/plain')).sizeBytes, 5);
    let place = scene.path('web/secrets');
    for (let level = 0; level < 20; level += 1) {
      renameSync(place, scene.path('web/inner'));
      place = scene.path('web/secrets');
      mkdirSync(place);
      renameSync(scene.path('web/inner'), join(place, 'n'.repeat(250)));
    }
    await assertRefused('web/local/plain', 'Reading secret file prohibited: web/local/plain');
    // Too deep for the scene's own end.
    execFileSync('rm', ['-r', scene.path('web/secrets')]);
  });

  test('after the directory was renamed, once it was seen [S170]', async () => {
    await files.list('/');
    renameSync(scene.path('web/secrets'), scene.path('web/local/harmless'));
    await assertRefused('web/local/harmless/test_file', 'Reading secret file prohibited: web/local/harmless/test_file');
    mkdirSync(scene.path('web/secrets'));
    await assertRefused('web/local/harmless', 'Reading secret file prohibited: web/local/harmless');
  });

  test('as a log [S170]', async () => {
    linkSync(scene.path('web/secrets/test_file'), scene.path('alloc/logs/web.stdout.0'));
    const logs = files.logs({ task: 'web', type: 'stdout', follow: false, signal: scene.signal });
    await assert.rejects(logs.next(), { code: 'NOT_FOUND' });
    linkSync(scene.path('web/secrets/test_file'), scene.path('alloc/logs/db.stdout'));
    await assertRefused('alloc/logs/db.stdout', 'Reading secret file prohibited: alloc/logs/db.stdout');
  });
});

describe('mounts', { skip: process.getuid?.() === 0 ? false : 'only root can mount' }, () => {
  const mounted: string[] = [];
  afterEach(() => {
    for (const path of mounted.splice(0).reverse()) execFileSync('umount', [path]);
  });

  function mount(target: string, ...options: string[]): void {
    mkdirSync(target, { recursive: true });
    execFileSync('mount', [...options, target]);
    mounted.push(target);
  }

  test('a tmpfs of secrets is refused as a whole, wherever it or a part of it is bound [S170]', async () => {
    mount(scene.path('web/secrets'), '-t', 'tmpfs', 'tmpfs');
    mkdirSync(scene.path('web/secrets/below'));
    writeFileSync(scene.path('web/secrets/below/file'), 'SECRET');
    mount(scene.path('db/local/whole'), '--bind', scene.path('web/secrets'));
    mount(scene.path('db/local/part'), '--bind', scene.path('web/secrets/below'));
    for (const path of ['db/local/whole/below/file', 'db/local/whole', 'db/local/part/file', 'db/local/part']) {
      await assertRefused(path, `Reading secret file prohibited: ${path}`);
    }
    const whole = (await files.list('db/local')).find(({ name }) => name === 'whole');
    assert.equal(whole?.sizeBytes, 0);
  });

  test('a directory of secrets on disk is refused where a part of it is bound [S170]', async () => {
    scene.write('web/secrets/below/file', 'SECRET');
    mount(scene.path('db/local/part'), '--bind', scene.path('web/secrets/below'));
    await assertRefused('db/local/part/file', 'Reading secret file prohibited: db/local/part/file');
    mount(scene.path('db/local/other'), '--bind', scene.path('web/local'));
    assert.equal((await files.stat('db/local/other/plain')).sizeBytes, 5);
  });

  test('the private directory of the runtime directory is refused where it is bound [S170]', async () => {
    mount(join(scene.folder, 'runtime'), '-t', 'tmpfs', 'tmpfs');
    writeFileSync(join(scene.folder, 'runtime/key'), 'KEY');
    mount(scene.path('web/local/key'), '--bind', join(scene.folder, 'runtime'));
    await assertRefused('web/local/key/key', 'Reading private file prohibited: web/local/key/key');
  });
});

test('only tasks have secrets: the same names elsewhere are ordinary', async () => {
  scene.write('alloc/data/secrets/file', 'x');
  scene.write('other/secrets/file', 'x');
  scene.write('web/local/secrets/file', 'x');
  for (const path of ['alloc/data/secrets/file', 'other/secrets/file', 'web/local/secrets/file']) {
    assert.equal((await files.stat(path)).sizeBytes, 1);
  }
});

test('a directory that takes the inode number of removed secrets is not taken for them', async () => {
  await files.list('/');
  rmSync(scene.path('web/secrets'), { recursive: true });
  for (let count = 0; count < 50; count += 1) {
    scene.directory(`web/local/${count}`);
    assert.deepEqual(await files.list(`web/local/${count}`), []);
  }
});

test('a link in the place of the secrets gives nothing away', async () => {
  rmSync(scene.path('web/secrets'), { recursive: true });
  scene.link('web/secrets', 'local');
  await assertRefused('web/secrets/plain', 'Reading secret file prohibited: web/secrets/plain');
  assert.equal((await files.stat('web/local/plain')).sizeBytes, 5);
});
