import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { byteText } from '../../src/base/byte-text.ts';
import { tarEntry } from '../../src/tar/entry.ts';
import { readArchive } from '../../src/tar/tar-reader.ts';
import { archiveOf } from './helpers/archives.ts';

const file = (name: string, text: string) =>
  [tarEntry({ type: 'file', name: byteText(name), sizeBytes: text.length }), Buffer.from(text)] as const;

test('entries come one by one; content that is not read is passed over', async () => {
  const archive = await archiveOf([file('a', 'first'), file('b', 'x'.repeat(100_000)), file('c', 'third')]);
  const seen: string[] = [];
  for await (const { entry, content } of readArchive(
    Readable.from([archive.subarray(0, 700), archive.subarray(700)]),
  )) {
    let text = '';
    if (entry.name !== 'b') for await (const { bytes } of content) text += Buffer.from(bytes).toString();
    seen.push(`${entry.name}=${text}`);
  }
  assert.deepEqual(seen, ['a=first', 'b=', 'c=third']);
});

test('the input is read no faster than its entries are', async () => {
  const archive = await archiveOf([file('a', 'x'.repeat(1_000_000)), file('b', '')]);
  let given = 0;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < archive.length; at += 10_000) {
      given += 1;
      yield archive.subarray(at, at + 10_000);
    }
  };
  const entries = readArchive(pieces());
  await entries.next();
  assert.equal(given, 1);
  await entries.return();
  assert.ok(given < 3, 'the input was closed, not read to its end');
});

test('an input that fails or is cut off is an error', async () => {
  const archive = await archiveOf([file('a', 'first')]);
  const readAll = async (input: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const { content } of readArchive(input)) for await (const _piece of content);
  };
  await assert.rejects(readAll(Readable.from([archive.subarray(0, 514)])), { code: 'CORRUPT' });
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 514);
    await Promise.resolve();
    throw new Error('connection reset');
  };
  await assert.rejects(readAll(failing()), /cannot read the archive: connection reset/);
});
