import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, open, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { removeEntry } from '../../src/projection/directory-removal.ts';

const run = promisify(execFile);

async function withDirectory(check: (descriptor: number, path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'removal-'));
  const handle = await open(path);
  try {
    await check(handle.fd, path);
  } finally {
    await handle.close();
    await rm(path, { recursive: true });
  }
}

it('removes files, links and whole trees, and nothing behind a link', () =>
  withDirectory(async (directory, path) => {
    await mkdir(join(path, 'kept'));
    await writeFile(join(path, 'kept/precious'), 'x');
    await mkdir(join(path, 'tree/a/b'), { recursive: true });
    await writeFile(join(path, 'tree/a/b/file'), 'x');
    await symlink('../kept', join(path, 'tree/link'));
    await symlink('../../kept/precious', join(path, 'tree/a/link'));
    await symlink('kept', join(path, 'link'));
    await removeEntry(directory, 'tree');
    await removeEntry(directory, 'link');
    assert.deepEqual(await readdir(path), ['kept']);
    assert.deepEqual(await readdir(join(path, 'kept')), ['precious']);
  }));

it('takes names that are not UTF-8, of files and of directories', () =>
  withDirectory(async (directory, path) => {
    const bad = Buffer.concat([Buffer.from(`${path}/tree/`), Buffer.from([0xff, 0xfe])]);
    await mkdir(join(path, 'tree'));
    await mkdir(bad);
    await writeFile(Buffer.concat([bad, Buffer.from('/'), Buffer.from([0xc3])]), 'x');
    await removeEntry(directory, 'tree');
    assert.deepEqual(await readdir(path), []);
  }));

it('is content if there is nothing', () => withDirectory((directory) => removeEntry(directory, 'nothing')));

it('does not empty a file system that is mounted inside', async (t) => {
  await withDirectory(async (directory, path) => {
    await mkdir(join(path, 'tree/mounted'), { recursive: true });
    try {
      await run('mount', ['-t', 'tmpfs', 'none', join(path, 'tree/mounted')]);
    } catch (error) {
      return t.skip(`cannot mount here: ${(error as Error).message.trim()}`);
    }
    try {
      await writeFile(join(path, 'tree/mounted/precious'), 'x');
      await assert.rejects(removeEntry(directory, 'tree'), { code: 'BUSY', remedy: /unmount/ });
      assert.ok(await lstat(join(path, 'tree/mounted/precious')));
    } finally {
      await run('umount', [join(path, 'tree/mounted')]);
    }
    await removeEntry(directory, 'tree');
  });
});
