import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { realPlace } from '../../src/daemon/real-place.ts';

function makeFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-place-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a path without links is what it is, whether it exists or not', async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'file'), '');
  for (const path of ['/', folder, join(folder, 'file'), join(folder, 'file/below'), join(folder, 'none/at/all')]) {
    assert.equal(await realPlace(path), path);
  }
});

test('links are followed: last, in between, relative, absolute, dangling, and up from where they lead', async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, 'real/inner'), { recursive: true });
  symlinkSync('real', join(folder, 'relative'));
  symlinkSync(join(folder, 'relative/inner'), join(folder, 'absolute'));
  symlinkSync('../sibling', join(folder, 'real/inner/up'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  assert.equal(await realPlace(join(folder, 'relative')), join(folder, 'real'));
  assert.equal(await realPlace(join(folder, 'relative/new/mnt')), join(folder, 'real/new/mnt'));
  assert.equal(await realPlace(join(folder, 'absolute')), join(folder, 'real/inner'));
  assert.equal(await realPlace(join(folder, 'absolute/up/x')), join(folder, 'real/sibling/x'));
  assert.equal(await realPlace(join(folder, 'dangling/mnt')), join(folder, 'nowhere/mnt'));
});

test('links in a circle are refused', async (t) => {
  const folder = makeFolder(t);
  symlinkSync('two', join(folder, 'one'));
  symlinkSync('one', join(folder, 'two'));
  await assert.rejects(realPlace(join(folder, 'one/mnt')), { code: 'INVALID_ARGUMENT', message: /too many/ });
});
