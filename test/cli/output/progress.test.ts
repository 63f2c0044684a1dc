import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { withProgress } from '../../../src/cli/output/progress.ts';
import { collect, only } from '../../server/fake-operations.ts';

test('the chunks are the same, and are counted', async () => {
  const stream = new PassThrough();
  const counted = withProgress(only(Buffer.from('ab'), Buffer.from('cde')), 'read', stream);
  assert.equal((await collect(counted.chunks)).toString(), 'abcde');
  assert.equal(counted.sizeBytes(), 5);
  assert.equal(stream.read(), null);
});

test('a terminal sees how far it is, and nothing of it at the end, also after a failure', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true });
  const failing = (async function* () {
    yield Buffer.alloc(2048);
    throw new Error('gone');
  })();
  await assert.rejects(collect(withProgress(failing, 'alloc/a: read', stream).chunks), /gone/);
  assert.equal(String(stream.read()), '\r\u001b[Kalloc/a: read 2 KiB\r\u001b[K');
});
