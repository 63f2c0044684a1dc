import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type Ensured,
  ensureDirectory,
  ensureTold,
  flushDirectory,
  openDirectory,
  statusOf,
  withDirectory,
  withDirectoryBeneath,
} from '../../src/alloc/directories.ts';
import { NODE } from '../../src/native/node-status.ts';

function folder(context: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-directories-')));
  mkdirSync(join(path, 'staging'));
  mkdirSync(join(path, 'root'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** In `root`, by way of `staging`. */
async function ensure(path: string, name: string, mode: number, existing: 'widen' | 'keep'): Promise<Ensured> {
  return await withDirectory(join(path, 'staging'), (staging) =>
    withDirectory(join(path, 'root'), (directory) => ensureDirectory({ directory, name, staging }, { mode }, existing)),
  );
}

const modeOf = (...parts: string[]): number => statSync(join(...parts)).mode & 0o7777;

test('a directory is made with its exact mode, whatever the umask, and leaves nothing beside it', async (context) => {
  const path = folder(context);
  const umask = process.umask(0o077);
  try {
    assert.equal(await ensure(path, 'ä b', 0o1777, 'keep'), 'made');
  } finally {
    process.umask(umask);
  }
  assert.equal(modeOf(path, 'root', 'ä b'), 0o1777);
  assert.deepEqual(readdirSync(join(path, 'staging')), []);
});

test('one that is there is kept, or gets the mode', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'root/there'));
  chmodSync(join(path, 'root/there'), 0o700);
  assert.equal(await ensure(path, 'there', 0o777, 'keep'), 'kept');
  assert.equal(modeOf(path, 'root/there'), 0o700);
  assert.equal(await ensure(path, 'there', 0o777, 'widen'), 'changed');
  assert.equal(modeOf(path, 'root/there'), 0o777);
});

test('a file or a link in its place is an error and stays', async (context) => {
  const path = folder(context);
  writeFileSync(join(path, 'root/file'), '');
  symlinkSync('/tmp', join(path, 'root/link'));
  for (const name of ['file', 'link'])
    await assert.rejects(ensure(path, name, 0o777, 'widen'), { code: 'NOT_A_DIRECTORY' });
  assert.ok(lstatSync(join(path, 'root/link')).isSymbolicLink());
});

test('walking beneath follows no link and does not leave', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'root/a/b'), { recursive: true });
  symlinkSync('a', join(path, 'root/link'));
  await withDirectory(join(path, 'root'), async (root) => {
    await withDirectoryBeneath(root, 'a/b', flushDirectory);
    assert.throws(() => openDirectory(root, 'link/b'), { code: 'INVALID_PATH' });
    assert.throws(() => openDirectory(root, 'link'), { code: /INVALID_PATH|NOT_A_DIRECTORY/ });
    assert.throws(() => openDirectory(root, '../staging'));
    assert.throws(() => openDirectory(root, 'missing'), { code: 'NOT_FOUND' });
    assert.equal(statusOf(root, 'missing'), undefined);
    assert.equal(statusOf(root, 'a')?.[NODE.linkCount], 3);
  });
  assert.equal(existsSync(join(path, 'root/missing')), false);
  await assert.rejects(
    withDirectory(join(path, 'none'), () => undefined),
    { code: 'NOT_FOUND' },
  );
});

test('who may have looked at a directory is told what became of it', async (context) => {
  const path = folder(context);
  const told: string[] = [];
  const backing = {
    changed: async (name: string) => void told.push(`changed ${name}`),
    attributesChanged: async (name: string) => void told.push(`attributes ${name}`),
  };
  await withDirectory(join(path, 'staging'), (staging) =>
    withDirectory(join(path, 'root'), async (directory) => {
      const place = { directory, name: 'a', staging };
      for (const existing of ['keep', 'keep', 'widen'] as const) {
        await ensureTold(backing, 'x/a', place, { mode: 0o755 }, existing);
      }
    }),
  );
  assert.deepEqual(told, ['changed x/a', 'attributes x/a']);
});
