import assert from 'node:assert/strict';
import { fstatSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { walkAlloc } from '../../../src/alloc/files/alloc-walk.ts';
import { SecretGuard } from '../../../src/alloc/files/secret-guard.ts';
import { AllocScene } from './helpers/alloc-scene.ts';

let scene: AllocScene;
let guard: SecretGuard;
beforeEach(() => {
  scene = new AllocScene();
  guard = new SecretGuard({ tasks: () => ['web', 'db'] });
});
afterEach(() => scene.close());

const ESCAPES = { code: 'INVALID_PATH', message: 'Path escapes the alloc directory' };

function inodeAt(path: string): bigint | undefined {
  const walked = walkAlloc(scene.root, path, guard);
  walked.close();
  return walked.found?.stats.ino;
}

describe('links', () => {
  test('lead on within the alloc, also upwards and over several', () => {
    scene.write('alloc/data/file', 'x');
    scene.link('web/local/one', '../../alloc/data');
    scene.link('web/local/two', 'one/../../web/local/one/file');
    scene.link('web/local/here', '.');
    assert.equal(inodeAt('web/local/two'), inodeAt('alloc/data/file'));
    assert.equal(inodeAt('web/local/here/here/two'), inodeAt('alloc/data/file'));
  });

  test('that lead out are refused: absolute ones, also to a place inside, and those with too many `..`', () => {
    scene.link('web/local/absolute', '/tmp');
    scene.link('web/local/inside', scene.path('alloc/data'));
    scene.link('web/local/up', '../../../outside/canary');
    scene.link('web/local/root', '../../..');
    scene.link('web/local/chain', 'up');
    for (const name of ['absolute', 'inside', 'up', 'root', 'chain', 'absolute/x', 'root/x']) {
      assert.throws(() => inodeAt(`web/local/${name}`), ESCAPES, name);
    }
  });

  test('that lead up and down cost no descriptors, and end after 4096 names', () => {
    scene.directory('web/local/a');
    const down = 'a/../'.repeat(800);
    scene.link('web/local/one', `${down}a`);
    scene.link('web/local/two', `${down}one`);
    scene.link('web/local/three', `${down}two`);
    const openBefore = readdirSync('/proc/self/fd').length;
    const walked = walkAlloc(scene.root, 'web/local/two', guard);
    const openMeanwhile = readdirSync('/proc/self/fd').length;
    walked.close();
    assert.equal(walked.found?.stats.ino, inodeAt('web/local/a'));
    assert.ok(openMeanwhile - openBefore < 10, `${openMeanwhile - openBefore} descriptors`);
    assert.deepEqual(walked.steps, []);
    const tooMany = { code: 'INVALID_PATH', message: 'too many names on the way: web/local/three' };
    assert.throws(() => inodeAt('web/local/three'), tooMany);
    assert.throws(() => walkAlloc(scene.root, 'web/local/three', guard, { withSteps: true }), tooMany);
    assert.equal(readdirSync('/proc/self/fd').length, openBefore);
  });

  test('leave every directory on the way open for who asks for the steps', () => {
    scene.directory('web/local/a');
    scene.link('web/local/link', 'a/../a');
    const walked = walkAlloc(scene.root, 'web/local/link', guard, { withSteps: true });
    try {
      assert.deepEqual(
        walked.steps.map(({ directory, name }) => [fstatSync(directory.descriptor, { bigint: true }).ino, name]),
        [
          [inodeAt('/'), 'web'],
          [inodeAt('web'), 'local'],
          [inodeAt('web/local'), 'link'],
          [inodeAt('web/local'), 'a'],
          [inodeAt('web/local'), 'a'],
        ],
      );
    } finally {
      walked.close();
    }
  });

  test('that lead in a circle end', () => {
    scene.link('web/local/a', 'b');
    scene.link('web/local/b', 'a');
    assert.throws(() => inodeAt('web/local/a'), {
      code: 'INVALID_PATH',
      message: 'too many symbolic links: web/local/a',
    });
  });
});

test('what is missing is not found, and not taken for an escape', () => {
  scene.write('web/local/file', 'x');
  scene.link('web/local/dangling', 'nothing');
  for (const path of ['no-exist', 'web/local/file/below', 'web/local/dangling', 'a/b/c']) {
    assert.equal(inodeAt(path), undefined, path);
  }
});

test('the requests of the reference: relative, absolute and with `..`', () => {
  assert.notEqual(inodeAt('/'), undefined);
  assert.equal(inodeAt('/no-exist'), undefined);
  assert.throws(() => inodeAt('../../foo'), ESCAPES);
  assert.throws(() => inodeAt('..'), ESCAPES);
});

test('nothing stays open, whatever the outcome', () => {
  scene.link('web/local/absolute', '/tmp');
  const before = readdirSync('/proc/self/fd').length;
  inodeAt('web/local');
  inodeAt('no-exist/x');
  assert.throws(() => inodeAt('web/local/absolute'));
  assert.throws(() => inodeAt('web/secrets'));
  assert.throws(() => walkAlloc(join(scene.folder, 'gone'), '/', guard), { code: 'ENOENT' });
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('two walks have the same key exactly if they went the same way to the same end', () => {
  scene.write('web/local/file', 'x');
  const keyOf = (): string => {
    const walked = walkAlloc(scene.root, 'web/local/file', guard);
    walked.close();
    return walked.key;
  };
  const first = keyOf();
  assert.equal(keyOf(), first);
  renameSync(scene.path('web/local'), scene.path('web/old'));
  const gone = keyOf();
  assert.notEqual(gone, first);
  mkdirSync(scene.path('web/local'));
  symlinkSync('../old/file', scene.path('web/local/file'));
  const linked = keyOf();
  assert.ok(linked !== first && linked !== gone);
});
