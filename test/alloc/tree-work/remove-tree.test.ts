import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeTree } from '../../../src/alloc/tree-work/remove-tree.ts';
import { loadNative } from '../../../src/native/load.ts';
import { needsRoot } from '../helpers/scene.ts';

const noStep = (): void => undefined;

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'dunnage-remove-tree-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function remove(path: string, name: string, onStep: () => void = noStep): void {
  const directory = openSync(path, 'r');
  try {
    removeTree(directory, name, { onStep });
  } finally {
    closeSync(directory);
  }
}

test('a tree goes with all that is in it, and links are only links', (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'tree/a/b/c'), { recursive: true });
  mkdirSync(join(path, 'outside'));
  writeFileSync(join(path, 'outside/file'), 'stays');
  writeFileSync(join(path, 'tree/a/file'), '');
  symlinkSync('../../outside', join(path, 'tree/a/link'));
  remove(path, 'tree');
  assert.deepEqual(readdirSync(path), ['outside']);
  assert.deepEqual(readdirSync(join(path, 'outside')), ['file']);
  symlinkSync('outside', join(path, 'link'));
  remove(path, 'link');
  remove(path, 'missing');
  assert.deepEqual(readdirSync(path), ['outside']);
});

test('what is mounted in it stays, mount and content', needsRoot, (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'tree/deep/mount'), { recursive: true });
  mkdirSync(join(path, 'precious'));
  writeFileSync(join(path, 'precious/file'), 'precious');
  const mount = join(path, 'tree/deep/mount');
  loadNative().bindMount(join(path, 'precious'), mount, false);
  try {
    assert.throws(() => remove(path, 'tree'), { code: 'EBUSY' });
    assert.throws(() => remove(join(path, 'tree/deep'), 'mount'), { code: 'EBUSY' });
    assert.ok(existsSync(join(mount, 'file')));
  } finally {
    loadNative().unmount(mount, true);
  }
  remove(path, 'tree');
  assert.deepEqual(readdirSync(path), ['precious']);
});

test('names that come while it empties a directory go too; who never stops is an error', (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'tree'));
  let made = 0;
  const makeSome = (): void => {
    if (made < 3 && existsSync(join(path, 'tree'))) writeFileSync(join(path, 'tree', `new-${made++}`), '');
  };
  writeFileSync(join(path, 'tree/file'), '');
  remove(path, 'tree', makeSome);
  assert.equal(existsSync(join(path, 'tree')), false);
  mkdirSync(join(path, 'tree'));
  writeFileSync(join(path, 'tree/file'), '');
  const makeMore = (): void => writeFileSync(join(path, 'tree', `new-${made++}`), '');
  assert.throws(() => remove(path, 'tree', makeMore), { code: 'ENOTEMPTY' });
});

test('a tree goes that is deeper than a process has descriptors', (context) => {
  const path = folder(context);
  const native = loadNative();
  const DEPTH = 3000;
  let directory = openSync(path, 'r');
  for (let depth = 0; depth < DEPTH; depth += 1) {
    const name = depth === 0 ? 'tree' : 'd';
    native.makeNode(directory, name, constants.S_IFDIR | 0o755, 0, 0);
    native.makeNode(directory, `${name}-file`, constants.S_IFREG | 0o644, 0, 0);
    const inner = native.openNode(directory, name, constants.O_RDONLY | constants.O_DIRECTORY, 0, true);
    closeSync(directory);
    directory = inner;
  }
  closeSync(directory);
  let openMost = 0;
  remove(path, 'tree', () => {
    openMost = Math.max(openMost, readdirSync('/proc/self/fd').length);
  });
  assert.deepEqual(readdirSync(path), ['tree-file']);
  assert.ok(openMost < 200, `${openMost} descriptors`);
});
