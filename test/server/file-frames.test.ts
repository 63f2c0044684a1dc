import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFiles, encodeFiles } from '../../src/server/file-frames.ts';
import { collect, only } from './fake-operations.ts';

async function decoded(bytes: Uint8Array, chunkBytes = bytes.length): Promise<[head: unknown, content: string][]> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  };
  const found: [unknown, string][] = [];
  for await (const { content, ...head } of decodeFiles(chunks())) {
    found.push([head, (await collect(content)).toString('hex')]);
  }
  return found;
}

test('files come out as they went in, however the bytes are cut', async () => {
  const head = fc.record(
    { path: fc.string(), mode: fc.integer({ min: 0, max: 0o777 }), uid: fc.nat(), gid: fc.nat() },
    { requiredKeys: ['path'] },
  );
  const file = fc.tuple(head, fc.uint8Array({ maxLength: 300 }));
  await fc.assert(
    fc.asyncProperty(fc.array(file, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), async (files, chunkBytes) => {
      const sized = files.map(([given, bytes]) => ({ ...given, sizeBytes: bytes.length, content: only(bytes) }));
      const bytes = await collect(encodeFiles(only(...sized)));
      const expected = files.map(([given, content]) => [
        { ...given, sizeBytes: content.length },
        Buffer.from(content).toString('hex'),
      ]);
      assert.deepEqual(await decoded(bytes, chunkBytes), expected);
    }),
    { numRuns: 100 },
  );
});

const wrong: readonly (readonly [what: string, bytes: string | Uint8Array, message: RegExp])[] = [
  ['no JSON', 'x\n', /a head is not JSON/],
  ['no UTF-8', Buffer.from([0xff, 0x0a]), /a head is not JSON/],
  ['an unknown field', '{"path":"a","sizeBytes":0,"owner":1}\n', /a head has a wrong field/],
  ['no length', '{"path":"a"}\n', /a head has a wrong field/],
  ['a negative length', '{"path":"a","sizeBytes":-1}\n', /a head has a wrong field/],
  ['a special mode', '{"path":"a","sizeBytes":0,"mode":2541}\n', /a head has a wrong field/],
  ['an end within a head', '{"path":', /it ends within a head/],
  ['an end within a file', '{"path":"a","sizeBytes":5}\nabc', /it ends within a file/],
  ['an endless head', randomBytes(40_000).toString('hex'), /a head is too long/],
];
for (const [what, bytes, message] of wrong) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(decoded(Buffer.from(bytes), 100), { code: 'INVALID_ARGUMENT', message });
  });
}

test('a file that grows or shrinks while it is sent is refused', async () => {
  for (const content of ['12', '1234']) {
    const files = only({ path: 'a', sizeBytes: 3, content: only(Buffer.from(content)) });
    await assert.rejects(collect(encodeFiles(files)), { code: 'INVALID_ARGUMENT', message: /changed its size/ });
  }
});
