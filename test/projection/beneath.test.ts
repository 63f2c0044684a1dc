import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import {
  errnoOf,
  fstat,
  hasContent,
  OPEN_DIRECTORY,
  OPEN_FILE,
  unless,
  withBeneath,
} from '../../src/projection/beneath.ts';

async function withDirectory(check: (descriptor: number, path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'beneath-'));
  const handle = await open(path);
  try {
    await check(handle.fd, path);
  } finally {
    await handle.close();
    await rm(path, { recursive: true });
  }
}

it('withBeneath opens nothing through a link, neither at the end of a path nor in it', () =>
  withDirectory(async (directory, path) => {
    await mkdir(join(path, 'real'));
    await writeFile(join(path, 'real/file'), 'x');
    await symlink('real', join(path, 'link'));
    await symlink('real/file', join(path, 'file-link'));
    await symlink('/etc', join(path, 'outside'));
    const tryOpen = (name: string): Promise<void> => withBeneath(directory, name, OPEN_FILE, async () => undefined);
    await tryOpen('real/file');
    for (const name of ['link/file', 'file-link', 'outside/passwd', 'link']) {
      await assert.rejects(tryOpen(name), { code: 'ELOOP' }, name);
    }
    for (const name of ['../x', '/etc/passwd', 'real/../../x']) {
      await assert.rejects(tryOpen(name), (error) => ['EXDEV', 'ENOENT'].includes(errnoOf(error) ?? ''), name);
    }
  }));

it('withBeneath closes the descriptor whatever happens', () =>
  withDirectory(async (directory) => {
    let descriptor = -1;
    await assert.rejects(
      withBeneath(directory, '.', OPEN_DIRECTORY, async (opened) => {
        descriptor = opened;
        throw new Error('task');
      }),
      { message: 'task' },
    );
    await assert.rejects(fstat(descriptor), { code: 'EBADF' });
  }));

it('hasContent compares length and every byte, over several chunks', () =>
  withDirectory(async (directory, path) => {
    const data = Buffer.alloc(600_000, 'abc');
    await writeFile(join(path, 'file'), data);
    await writeFile(join(path, 'empty'), '');
    await withBeneath(directory, 'file', OPEN_FILE, async (descriptor) => {
      assert.equal(await hasContent(descriptor, data), true);
      assert.equal(await hasContent(descriptor, data.subarray(0, -1)), false);
      assert.equal(await hasContent(descriptor, Buffer.concat([data, Buffer.from('x')])), false);
      const other = Buffer.from(data);
      other[599_999] = 0;
      assert.equal(await hasContent(descriptor, other), false);
      assert.equal(await hasContent(descriptor, Buffer.alloc(0)), false);
    });
    await withBeneath(directory, 'empty', OPEN_FILE, async (descriptor) => {
      assert.equal(await hasContent(descriptor, Buffer.alloc(0)), true);
    });
  }));

it('unless passes over the named errors only', async () => {
  const fail = (code: string) => async () => {
    throw Object.assign(new Error(code), { code });
  };
  assert.equal(await unless(['ENOENT'], fail('ENOENT')), undefined);
  assert.equal(await unless(['ENOENT'], async () => 7), 7);
  await assert.rejects(unless(['ENOENT'], fail('EIO')), { code: 'EIO' });
});
