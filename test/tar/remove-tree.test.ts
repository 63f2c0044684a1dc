import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OpenParents } from '../../src/tar/open-parents.ts';
import { removeTree } from '../../src/tar/remove-tree.ts';
import { isRoot, native } from './helpers/archives.ts';

function folder(t: TestContext): { path: string; directory: number } {
  const path = mkdtempSync(join(tmpdir(), 'dunnage-remove-'));
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  t.after(() => {
    closeSync(directory);
    execFileSync('rm', ['-rf', path]);
  });
  return { path, directory };
}

test('a tree of any depth is removed, and what links lead to stays', (t) => {
  const { path, directory } = folder(t);
  mkdirSync(join(path, 'tree/a/b'), { recursive: true });
  mkdirSync(join(path, 'stays'));
  writeFileSync(join(path, 'stays/file'), '');
  symlinkSync('../../stays', join(path, 'tree/a/link'));
  writeFileSync(join(path, 'tree/a/b/file'), '');
  const parents = new OpenParents(native, directory);
  parents.directory(['tree', ...Array.from({ length: 5000 }, () => 'deep')], 0o755);
  parents.close();
  removeTree(native, directory, 'tree');
  assert.deepEqual(readdirSync(path), ['stays']);
  assert.ok(existsSync(join(path, 'stays/file')));
});

test('files, and nothing at all, are removed too', (t) => {
  const { path, directory } = folder(t);
  writeFileSync(join(path, 'file'), '');
  removeTree(native, directory, 'file');
  removeTree(native, directory, 'file');
  assert.deepEqual(readdirSync(path), []);
});

test('what is mounted in it stays, and is an error', { skip: isRoot ? false : 'needs root: mounts' }, (t) => {
  const { path, directory } = folder(t);
  mkdirSync(join(path, 'tree/mounted'), { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'none', join(path, 'tree/mounted')]);
  writeFileSync(join(path, 'tree/mounted/file'), '');
  try {
    assert.throws(() => removeTree(native, directory, 'tree'), { code: 'EBUSY' });
    assert.ok(existsSync(join(path, 'tree/mounted/file')));
  } finally {
    execFileSync('umount', [join(path, 'tree/mounted')]);
  }
});
