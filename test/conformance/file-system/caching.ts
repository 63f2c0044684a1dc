/** What the kernel keeps: hot use makes no request, and what is invalidated is asked for again. */
import assert from 'node:assert/strict';
import { lstat, open, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { begin } from '../../kernel/helpers/run.ts';
import { call, failsWith, needs, requestsOf, served } from './fixture.ts';
import type { Transport } from './transport.ts';

export function cachingTests(transport: Transport): void {
  describe('caching, profile projections', () => {
    const sample = served(transport, { profile: 'projections' });
    const at = (name: string): string => join(sample().mountPoint, name);
    const options = needs(transport, 'zero-message');

    it('asks for OPEN, OPENDIR and FLUSH at most once in the life of the mount', options, async () => {
      const made = await requestsOf(sample(), async () => {
        for (let index = 0; index < 20; index += 1) await call(readFile(at(`many/file-${index}`)));
      });
      for (const operation of ['OPEN', 'FLUSH', 'OPENDIR', 'GETXATTR'])
        assert.ok((made[operation] ?? 0) <= 1, operation);
      assert.deepEqual([made['RELEASE'], made['READ'], made['LOOKUP']], [undefined, 20, 21]);
    });

    it('makes no request at all for a hot open, read, close, stat, readlink', options, async () => {
      const use = async (): Promise<void> => {
        const file = await call(open(at('hello')));
        await call(file.readFile());
        await call(file.close());
        await call(stat(at('link')));
        await call(readlink(at('link')));
        await call(readFile(at('object-a/file')));
      };
      // Twice: each READ and READLINK makes the kernel ask once more for the time of access.
      await use();
      await use();
      assert.deepEqual(await requestsOf(sample(), use), {});
    });

    it('remembers that a name does not exist, until that is invalidated', options, async () => {
      await failsWith('ENOENT', lstat(at('object-a/later')));
      assert.deepEqual(await requestsOf(sample(), () => failsWith('ENOENT', lstat(at('object-a/later')))), {});
      const parent = await sample().command<number>('addSilently', { directory: 'object-a', name: 'later' });
      await failsWith('ENOENT', lstat(at('object-a/later')));
      await sample().command('invalidateEntry', { parent, name: 'later' });
      await sample().command('drained');
      assert.equal(await call(readFile(at('object-a/later'), 'utf8')), 'later');
    });

    it('asks for extended attributes once if there are none', options, async () => {
      const ask = () => begin('getfattr', ['-n', 'user.x', at('hello')]).ended;
      assert.match((await ask()).stderr, /not supported/);
      assert.deepEqual(await requestsOf(sample(), ask), {});
    });
  });

  describe('handles, profile root', () => {
    const sample = served(transport, { profile: 'root', handles: true });
    const at = (name: string): string => join(sample().mountPoint, name);

    it('opens and releases every handle', needs(transport, 'handles'), async () => {
      const file = await call(open(at('hello')));
      assert.equal(await sample().command('openHandles'), 1);
      await file.close();
      const made = await requestsOf(sample(), async () => {
        for (let round = 0; round < 5; round += 1) await call(readFile(at('hello')));
      });
      assert.deepEqual([made['OPEN'], made['FLUSH'] ?? 0], [5, 0]);
      // RELEASE is not waited for by close(2).
      while ((await sample().command<number>('openHandles')) > 0) await call(lstat(at('many')));
      assert.equal(await sample().command('openHandles'), 0);
    });
  });
}
