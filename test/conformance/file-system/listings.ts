/** Directories: complete, without doubles, and steady while they change. */
import assert from 'node:assert/strict';
import { mkdir, opendir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { run } from '../../kernel/helpers/run.ts';
import { MANY_FILES } from '../../kernel/helpers/sample-file-system.ts';
import { call, requestsOf, served } from './fixture.ts';
import type { Transport } from './transport.ts';

export function listingTests(transport: Transport): void {
  for (const profile of ['projections', 'root'] as const) {
    describe(`listings, profile ${profile}`, () => {
      const sample = served(transport, { profile });
      const at = (name: string): string => join(sample().mountPoint, name);

      it('lists 10,000 names, each once', async () => {
        const expected = Array.from({ length: MANY_FILES }, (_, index) => `file-${index}`).sort();
        assert.deepEqual((await call(readdir(at('many')))).sort(), expected);
        assert.deepEqual((await call(readdir(at('many')))).sort(), expected, 'again, maybe cached');
      });

      it('tells the type of each name', async () => {
        const entries = await call(readdir(at(''), { withFileTypes: true }));
        const type = (name: string): string | undefined => {
          const entry = entries.find((candidate) => candidate.name === name);
          return entry?.isDirectory()
            ? 'directory'
            : entry?.isSymbolicLink()
              ? 'link'
              : entry?.isFile()
                ? 'file'
                : undefined;
        };
        assert.deepEqual(['many', 'link', 'hello', 'none'].map(type), ['directory', 'link', 'file', undefined]);
      });

      it('has . and .. once each, first', async () => {
        const names = (await run('ls', ['-f', '-1', at('object-a')])).trimEnd().split('\n');
        assert.deepEqual(names, ['.', '..', 'file']);
      });

      it('keeps positions while names are added and removed', async () => {
        const count = 3_000;
        const name = (index: number): string => `steady-${String(index).padStart(4, '0')}-${'x'.repeat(40)}`;
        for (let index = 0; index < count; index += 1) await call(mkdir(at(`changing/${name(index)}`)));
        const seen: string[] = [];
        const directory = await call(opendir(at('changing'), { bufferSize: 1 }));
        for await (const entry of directory) {
          seen.push(entry.name);
          if (seen.length === 500) {
            // Some that were read, some that were not, and some new ones.
            for (let index = 0; index < count; index += 10) await call(rmdir(at(`changing/${name(index)}`)));
            for (let index = 0; index < 50; index += 1) await call(mkdir(at(`changing/new-${index}`)));
          }
        }
        const stayed = Array.from({ length: count }, (_, index) => index)
          .filter((index) => index % 10 !== 0)
          .map(name);
        assert.deepEqual(seen.filter((found) => stayed.includes(found)).sort(), stayed);
        assert.equal(new Set(seen).size, seen.length, 'no name twice');
        const left = (await call(readdir(at('changing')))).filter((found) => found.startsWith('steady'));
        assert.deepEqual(left.sort(), stayed, 'a new listing shows what is there now');
      });
    });
  }

  describe('cached listings', () => {
    const sample = served(transport, { profile: 'projections' });
    const at = (name: string): string => join(sample().mountPoint, name);
    const skip = transport.lacks['zero-message'];

    it('asks nobody for a listing it has, until it is invalidated', skip === undefined ? {} : { skip }, async () => {
      // Twice: after each READDIR the kernel asks once more for the time of access.
      await call(readdir(at('object-a')));
      await call(readdir(at('object-a')));
      assert.deepEqual(await requestsOf(sample(), () => call(readdir(at('object-a')))), {});
      const parent = await sample().command<number>('addSilently', { directory: 'object-a', name: 'second' });
      await sample().command('invalidateEntry', { parent, name: 'second' });
      await sample().command('drained');
      assert.deepEqual((await call(readdir(at('object-a')))).sort(), ['file', 'second']);
    });
  });
}
