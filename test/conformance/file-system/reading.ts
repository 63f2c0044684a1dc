/** Content, attributes, links, extended attributes, errors. */
import assert from 'node:assert/strict';
import { lstat, open, readFile, readlink, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ConnectionStatistics } from '../../../src/fuse/statistics.ts';
import { begin, run } from '../../kernel/helpers/run.ts';
import { BIG_BYTES, bigContent, COLOR, HELLO } from '../../kernel/helpers/sample-file-system.ts';
import { call, failsWith, needs, served } from './fixture.ts';
import type { Transport } from './transport.ts';

export function readingTests(transport: Transport): void {
  describe('reading', () => {
    const sample = served(transport, { profile: 'projections', extendedAttributes: true });
    const at = (name: string): string => join(sample().mountPoint, name);

    it('shows the attributes it was given', async () => {
      const status = await call(lstat(at('hello'), { bigint: true }));
      assert.equal(status.mode, 0o100644n);
      assert.deepEqual([status.uid, status.gid, status.nlink], [12n, 34n, 1n]);
      assert.equal(status.size, BigInt(HELLO.length));
      assert.equal(status.mtimeMs, 1_700_000_000_123n);
      assert.equal((await call(lstat(at('many')))).mode, 0o040755);
    });

    it('shows times to the nanosecond', needs(transport, 'nanoseconds'), async () => {
      assert.equal((await call(lstat(at('hello'), { bigint: true }))).mtimeNs, 1_700_000_000_123_456_789n);
    });

    it('reads a small file, a file of 8 MiB, and any part of it', async () => {
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
      const expected = bigContent();
      assert.ok((await call(readFile(at('big')))).equals(expected));
      const file = await call(open(at('big')));
      try {
        for (const [offset, size] of [
          [0, 1],
          [4_095, 2],
          [1_000_003, 300_000],
          [BIG_BYTES - 5, 100],
        ] as const) {
          const { bytesRead, buffer } = await call(file.read(Buffer.alloc(size), 0, size, offset));
          assert.ok(
            buffer.subarray(0, bytesRead).equals(expected.subarray(offset, offset + size)),
            `${size} at ${offset}`,
          );
        }
        assert.equal((await call(file.read(Buffer.alloc(8), 0, 8, BIG_BYTES))).bytesRead, 0);
      } finally {
        await file.close();
      }
    });

    it('reads and follows a symlink', async () => {
      assert.equal(await call(readlink(at('link'))), 'hello');
      assert.equal(await call(readFile(at('link'), 'utf8')), HELLO);
      assert.ok((await call(lstat(at('link')))).isSymbolicLink());
    });

    it('shows each object its own size', needs(transport, 'statfs-per-object'), async () => {
      for (const [path, blocks] of [
        ['object-a', 1_000],
        ['object-a/file', 1_000],
        ['object-b/file', 2_000_000],
        ['hello', 7],
      ] as const) {
        const status = await call(statfs(at(path)));
        assert.deepEqual([path, status.blocks, status.bsize], [path, blocks, 4096]);
        assert.deepEqual(
          [status.bfree, status.bavail, status.files, status.ffree],
          [Math.floor(blocks / 2), Math.floor(blocks / 4), 5, 3],
        );
      }
    });

    it(
      'has extended attributes, and says ENODATA where there is none',
      needs(transport, 'extended-attributes'),
      async () => {
        assert.equal(await run('getfattr', ['--only-values', '-n', COLOR.name, at('hello')]), COLOR.value);
        assert.match(await run('getfattr', ['-m', '-', '--absolute-names', at('hello')]), /^user\.color$/m);
        const none = await begin('getfattr', ['-n', 'user.size', at('hello')]).ended;
        assert.equal(none.code, 1);
        assert.match(none.stderr, /No such attribute/);
        assert.equal((await run('getfattr', ['-m', '-', at('big')])).trim(), '');
      },
    );

    it('passes errors on as they are', async () => {
      await failsWith('ENOENT', lstat(at('nothing')));
      await failsWith('EACCES', lstat(at('denied')));
      await failsWith('ENOTDIR', lstat(at('hello/below')));
      await failsWith('ENAMETOOLONG', lstat(at('x'.repeat(256))));
      await failsWith('EINVAL', readlink(at('hello')));
    });

    it('answers EIO to an exception, and goes on', async () => {
      await failsWith('EIO', readFile(at('broken')));
      await failsWith('EIO', readFile(at('broken-later')));
      assert.equal(await call(readFile(at('hello'), 'utf8')), HELLO);
      const logged = (await sample().command<string[]>('logged')).filter((line) => line.includes('exception'));
      assert.ok(logged.length >= 2 && logged.every((line) => line.includes('READ')), logged.join('\n'));
      assert.ok(!logged.some((line) => line.includes('on purpose')), 'the message of an exception may hold content');
      assert.ok((await sample().command<ConnectionStatistics>('statistics')).exceptions >= 2);
    });
  });
}
