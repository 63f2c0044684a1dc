/** What may be changed is changed by the file system; everything else is refused with EROFS. */
import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { begin } from '../../kernel/helpers/run.ts';
import { HELLO } from '../../kernel/helpers/sample-file-system.ts';
import { call, failsWith, needs, served } from './fixture.ts';
import type { Transport } from './transport.ts';

/** Maps the file shared and writable, changes its first byte and waits for what becomes of that. */
const MAP_AND_WRITE = `
import mmap, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
view = mmap.mmap(descriptor, 4)
view[0] = ord('X')
try:
    view.flush()
except OSError as error:
    print(error.strerror)
`;

export function changeTests(transport: Transport): void {
  describe('changes', () => {
    const sample = served(transport, { profile: 'projections' });
    const at = (name: string): string => join(sample().mountPoint, name);

    it('makes, renames over, and removes directories and links', async () => {
      await call(mkdir(at('changing/one'), { mode: 0o700 }));
      assert.equal((await call(lstat(at('changing/one')))).mode & 0o777, 0o700);
      await call(symlink('one', at('changing/a')));
      await call(symlink('two', at('changing/b')));
      await call(rename(at('changing/b'), at('changing/a')));
      assert.equal(await call(readlink(at('changing/a'))), 'two');
      await failsWith('ENOENT', readlink(at('changing/b')));
      await failsWith('EEXIST', mkdir(at('changing/one')));
      await call(mkdir(at('changing/one/inner')));
      await failsWith('ENOTEMPTY', rmdir(at('changing/one')));
      await call(rmdir(at('changing/one/inner')));
      await call(rmdir(at('changing/one')));
      await call(unlink(at('changing/a')));
      assert.deepEqual(await call(readdir(at('changing'))), []);
    });

    it('lets a reader that follows a link replaced by rename always see one or the other', async () => {
      await call(symlink('first', at('changing/current')));
      for (let round = 0; round < 50; round += 1) {
        await call(symlink(`target-${round}`, at('changing/next')));
        await call(rename(at('changing/next'), at('changing/current')));
        assert.equal(await call(readlink(at('changing/current'))), `target-${round}`);
      }
      await call(rm(at('changing/current')));
    });

    it('refuses everything else with EROFS, also to root', async () => {
      await failsWith('EROFS', mkdir(at('object-a/new')));
      await failsWith('EROFS', symlink('x', at('new')));
      await failsWith('EROFS', unlink(at('hello')));
      await failsWith('EROFS', rmdir(at('many')));
      await failsWith('EROFS', rename(at('hello'), at('other')));
      await failsWith('EROFS', writeFile(at('new'), 'x'));
      await failsWith('EROFS', link(at('hello'), at('other')));
      await failsWith('EROFS', chmod(at('hello'), 0o600));
      await failsWith('EROFS', utimes(at('hello'), 1, 1));
      await failsWith('EROFS', truncate(at('hello'), 1));
      const { stderr } = await begin('setfattr', ['-n', 'user.x', '-v', 'y', at('hello')]).ended;
      assert.match(stderr, /Read-only file system/);
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
    });

    it('shows old content after a refused write, O_TRUNC included', async () => {
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
      await failsWith('EROFS', writeFile(at('hello'), 'overwritten'));
      await failsWith('EROFS', appendFile(at('hello'), 'X'));
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
      assert.equal((await call(lstat(at('hello')))).size, HELLO.length);
    });

    it('shows old content after a refused write to an open file', needs(transport, 'open-for-writing'), async () => {
      const file = await call(open(at('hello'), 'r+'));
      await failsWith('EROFS', file.write('X', 0));
      await file.close();
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
    });

    const mapped = needs(transport, 'open-for-writing');
    it('shows old content after a refused write through a shared mapping', mapped, async (context) => {
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
      const { code, stdout, stderr } = await begin('python3', ['-c', MAP_AND_WRITE, at('hello')]).ended;
      if (code === null) return context.skip('needs python3 for mmap(2)');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /Read-only file system|Input\/output error/);
      await sample().command('drained');
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
    });
  });
}
