import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { byteText } from '../../src/base/byte-text.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { tarEntry } from '../../src/tar/entry.ts';
import { TarWriter } from '../../src/tar/tar-writer.ts';
import { generatedEntry } from './helpers/arbitraries.ts';
import { archiveOf, parseArchive } from './helpers/archives.ts';

test('whatever is written is read again to the last attribute, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(generatedEntry, { maxLength: 4 }),
      fc.integer({ min: 1, max: 3000 }),
      async (list, size) => {
        const archive = await archiveOf(list.map(({ entry, stored }) => [entry, stored]));
        assert.equal(archive.length % 512, 0);
        const parsed = parseArchive(archive, size);
        assert.deepEqual(
          parsed.map(({ entry }) => entry),
          list.map(({ entry }) => entry),
        );
        for (const [index, { whole }] of list.entries()) assert.ok(parsed[index]?.content.equals(whole));
      },
    ),
    { numRuns: 150 },
  );
});

test('directories whose names are line breaks are read without the slash that they are written with', async () => {
  for (const name of ['\n', 'a\n', '\n/\n']) {
    const directory = tarEntry({ type: 'directory', name: byteText(name) });
    const [read] = parseArchive(await archiveOf([[directory, Buffer.alloc(0)]]), 512);
    assert.equal(read?.entry.name, name);
  }
});

test('readers that know only UTF-8 and whole seconds read it too', async () => {
  const file = tarEntry({
    type: 'file',
    name: byteText('a/naïve'),
    sizeBytes: 3,
    mode: 0,
    modifyTime: { seconds: 77, nanoseconds: 5 },
  });
  const archive = await archiveOf([
    [tarEntry({ type: 'directory', name: byteText('a'), mode: 0o755 })],
    [file, Buffer.from('abc')],
  ]);
  const seen: unknown[] = [];
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) {
    const { name, type, mode, size, mtime } = entry.header;
    seen.push([name, type, mode, size, mtime.getTime()]);
    entry.resume();
  }
  assert.deepEqual(seen, [
    ['a/', 'directory', 0o755, 0, 0],
    ['a/naïve', 'file', 0, 3, 77_000],
  ]);
});

test('files beyond 8 GiB are announced with their length, in the header and in a record', async () => {
  const sizeBytes = 20_000_000_000;
  const pieces: Uint8Array[] = [];
  // The header is all that is looked at.
  const enough = new Error('enough');
  const writer = new TarWriter((piece) => {
    pieces.push(piece);
    throw enough;
  });
  const content = function* (): Generator<Uint8Array> {
    for (;;) yield Buffer.alloc(100_000, 1);
  };
  const entry = tarEntry({ type: 'file', name: byteText('large'), sizeBytes });
  await assert.rejects(Promise.resolve(writer.add(entry, content())), enough);
  writer.destroy();
  const head = Buffer.from(pieces[0] ?? []);
  assert.match(head.toString('latin1', 512, 1024), /size=20000000000\n/);
  assert.equal(head.readBigUInt64BE(1024 + 128), 20_000_000_000n);
});

test('content that is too long or too short is an error, and the archive stays whole', async () => {
  for (const [content, wanted] of [
    [[Buffer.from('too long')], /longer/],
    [[Buffer.from('x')], /shorter/],
  ] as const) {
    const pieces: Uint8Array[] = [];
    const writer = new TarWriter((piece) => void pieces.push(Buffer.from(piece)));
    const entry = tarEntry({ type: 'file', name: byteText('file'), sizeBytes: 4 });
    await assert.rejects(
      Promise.resolve(writer.add(entry, content)),
      (error) => error instanceof DunnageError && wanted.test(error.message),
    );
    await writer.add(tarEntry({ type: 'file', name: byteText('next'), sizeBytes: 2 }), Buffer.from('ok'));
    await writer.finish();
    const [first, next] = parseArchive(Buffer.concat(pieces));
    assert.equal(first?.content.length, 4);
    assert.equal(next?.content.toString(), 'ok');
  }
});

test('a source that fails is thrown when its entry is filled up', async () => {
  const pieces: Uint8Array[] = [];
  const writer = new TarWriter((piece) => void pieces.push(Buffer.from(piece)));
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('begin');
    await Promise.resolve();
    throw new Error('the disk is gone');
  };
  const entry = tarEntry({ type: 'file', name: byteText('file'), sizeBytes: 300_000 });
  await assert.rejects(Promise.resolve(writer.add(entry, content())), /the disk is gone/);
  await writer.finish();
  const [file] = parseArchive(Buffer.concat(pieces));
  assert.equal(file?.content.length, 300_000);
  assert.equal(file?.content.toString('utf8', 0, 5), 'begin');
});

test('a slow receiver holds the writer up: what waits stays small', async () => {
  let waiting = 0;
  let most = 0;
  const content = function* (): Generator<Uint8Array> {
    for (let index = 0; index < 64; index += 1) {
      waiting += 1;
      most = Math.max(most, waiting);
      yield Buffer.alloc(100_000);
    }
  };
  const writer = new TarWriter(async (piece) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (piece.length === 100_000) waiting -= 1;
  });
  await writer.add(tarEntry({ type: 'file', name: byteText('file'), sizeBytes: 6_400_000 }), content());
  await writer.finish();
  assert.ok(most <= 8, `${most} pieces waited`);
});

test('a receiver that fails ends the writing with its error', async () => {
  const writer = new TarWriter(() => Promise.reject(new Error('hung up')));
  const entry = tarEntry({ type: 'file', name: byteText('file'), sizeBytes: 1_000_000 });
  await assert.rejects(Promise.resolve(writer.add(entry, Buffer.alloc(1_000_000))), /hung up/);
});
