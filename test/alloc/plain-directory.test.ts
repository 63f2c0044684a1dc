import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PlainDirectory } from '../../src/alloc/plain-directory.ts';

test('open makes what is missing, and paths have no links in them', async (context) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-plain-')));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'real'), { mode: 0o750 });
  symlinkSync('real', join(folder, 'link'));
  const directory = await PlainDirectory.open({ path: join(folder, 'link'), runtimePath: join(folder, 'runtime/a') });
  context.after(() => directory.close());
  assert.equal(directory.path, join(folder, 'real'));
  assert.equal(directory.visiblePath, directory.path);
  assert.deepEqual(directory.ownPaths, [directory.path, directory.runtimePath, directory.mountsPath]);
  const modes = [directory.path, directory.stagingPath, directory.runtimePath, directory.mountsPath].map(
    (path) => statSync(path).mode & 0o7777,
  );
  assert.deepEqual(modes, [0o750, 0o700, 0o700, 0o711]);
  assert.equal(statSync(directory.stagingPath).dev, statSync(directory.path).dev);
});

test('open says which directory cannot be made', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-plain-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'file'), '');
  const options = { path: join(folder, 'allocs'), runtimePath: join(folder, 'file') };
  await assert.rejects(PlainDirectory.open(options), /cannot make .*\/file:/);
});
