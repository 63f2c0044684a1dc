import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathExists, pathIsEmpty, resolveHostPath, splitPath } from '../../src/alloc/host-path.ts';

function folder(context: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-host-path-')));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('[PathFuncs] existence and emptiness of directories', async (context) => {
  const path = folder(context);
  assert.equal(await pathExists(path), true);
  assert.equal(await pathExists(join(path, 'missing')), false);
  assert.equal(await pathIsEmpty(path), true);
  await assert.rejects(pathIsEmpty(join(path, 'missing')), { code: 'ENOENT' });
  writeFileSync(join(path, 'file'), '');
  assert.equal(await pathIsEmpty(path), false);
  symlinkSync('nowhere', join(path, 'dangling'));
  assert.equal(await pathExists(join(path, 'dangling')), true);
});

test('[SplitPath] every ancestor with what the host has there', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'a/b'), { recursive: true, mode: 0o750 });
  const relative = `${path.slice(1)}/a/b/missing`;
  const ancestors = await splitPath(relative);
  const names = relative.split('/');
  assert.deepEqual(
    ancestors.map((ancestor) => ancestor.path),
    names.map((_, index) => names.slice(0, index + 1).join('/')),
  );
  assert.equal(ancestors.at(-1)?.info, undefined);
  assert.deepEqual([ancestors.at(-2)?.info?.kind, (ancestors.at(-2)?.info?.mode ?? 0) & 0o777], ['directory', 0o750]);
  assert.deepEqual(await splitPath('/'), []);
});

test('links are followed to the end, and loops have none', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'a/b'), { recursive: true });
  writeFileSync(join(path, 'a/b/file'), '');
  symlinkSync('../a/./b', join(path, 'a/relative'));
  symlinkSync(join(path, 'a/relative'), join(path, 'absolute'));
  symlinkSync('loop', join(path, 'loop'));
  assert.equal((await resolveHostPath(join(path, 'absolute/file'), []))?.path, join(path, 'a/b/file'));
  assert.equal((await resolveHostPath(`${path}/a/../a//b/`, []))?.path, join(path, 'a/b'));
  assert.equal(await resolveHostPath(join(path, 'loop'), []), undefined);
  assert.equal(await resolveHostPath(join(path, 'a/b/file/x'), []), undefined);
  assert.equal((await resolveHostPath('/dev/null', []))?.kind, 'other');
  assert.equal((await resolveHostPath('/', []))?.path, '/');
});

test('what leads into an own place is nothing, however it gets there', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'own/inner'), { recursive: true });
  mkdirSync(join(path, 'owner'));
  symlinkSync('own', join(path, 'link'));
  const own = [join(path, 'own')];
  for (const name of ['own', 'own/inner', 'link', 'link/inner', 'own/../own']) {
    assert.equal(await resolveHostPath(join(path, name), own), undefined, name);
  }
  assert.equal(await resolveHostPath(`${path}/link/..`, own), undefined);
  assert.equal((await resolveHostPath(join(path, 'owner'), own))?.path, join(path, 'owner'), 'compared by components');
  assert.equal((await resolveHostPath(path, own))?.path, path);
});
