import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { limits } from '../../src/base/limits.ts';
import { silentLog } from '../../src/base/log.ts';
import { BlobRecords } from '../../src/store/blob-records.ts';
import { BlobStore, type Protection } from '../../src/store/blob-store.ts';
import { inPieces } from '../../src/store/receive-content.ts';
import { SealingKey } from '../../src/store/sealing-key.ts';
import type { Store } from '../../src/store/store.ts';
import { filesBelow, filesWith, makeStateDirectory, openStore } from './state-directory.ts';

const PIECE = 16 * limits.sealedChunkBytes;
const SIZES = [
  ...[0, 1, limits.inlineBlobBytesMax, limits.inlineBlobBytesMax + 1, limits.sealedChunkBytes],
  ...[PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + limits.sealedChunkBytes, 3 * PIECE + 77],
];

interface Scene {
  readonly stateDir: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly key: SealingKey;
}

function setUp(t: TestContext): Scene {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const key = SealingKey.fromBytes(randomBytes(32));
  const blobs = new BlobStore({ store, stateDir, sealingKey: key, log: silentLog });
  t.after(() => blobs.close());
  return { stateDir, store, blobs, key };
}

/** The content in chunks of odd sizes. */
async function* chunked(content: Uint8Array, chunkBytes = 50_021): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

const contentFiles = ({ stateDir }: Scene): readonly string[] => filesBelow(join(stateDir, 'blobs'));

for (const protection of ['plain', 'secret'] as const) {
  test(`${protection} content of any length streams in, and reads back as if it had been given whole`, async (t) => {
    const scene = setUp(t);
    const { blobs, store } = scene;
    for (const sizeBytes of SIZES) {
      const content = randomBytes(sizeBytes);
      const blob = await blobs.prepareStream(chunked(content), protection);
      assert.deepEqual(blob.digest, blobs.digestOf(content, protection));
      assert.equal(blob.sizeBytes, sizeBytes);
      store.transactBuffered(() => blobs.retain(blob));
      assert.ok(content.equals(await blobs.read(blob.digest, 0, sizeBytes)), `${sizeBytes} bytes`);
      assert.ok(content.subarray(-5).equals(await blobs.read(blob.digest, Math.max(0, sizeBytes - 5), 5)));
    }
    assert.ok(contentFiles(scene).every((path) => !path.includes('/blobs/tmp/')));
  });
}

test('content that is known already is stored once, whole or streamed', async (t) => {
  const scene = setUp(t);
  const { blobs, store } = scene;
  const content = randomBytes(PIECE + 5);
  const prepared = [
    await blobs.prepare(content, 'plain'),
    ...(await Promise.all([1, 2].map(() => blobs.prepareStream(chunked(content), 'plain')))),
  ];
  store.transactBuffered(() => {
    for (const blob of prepared) blobs.retain(blob);
  });
  assert.equal(blobs.statistics().blobs, 1);
  assert.equal(contentFiles(scene).length, 1);
});

test('a stream that fails is the error of who streams, and leaves nothing', async (t) => {
  const scene = setUp(t);
  const failing = async function* (content: Uint8Array): AsyncGenerator<Uint8Array> {
    yield* chunked(content);
    throw new RangeError('the source is gone');
  };
  for (const protection of ['plain', 'secret'] as const) {
    for (const sizeBytes of [10, PIECE * 2 + 3]) {
      await assert.rejects(scene.blobs.prepareStream(failing(randomBytes(sizeBytes)), protection), RangeError);
    }
  }
  assert.deepEqual(contentFiles(scene), []);
  await scene.blobs.sweep();
});

test('what is prepared can be read before anybody refers to it, and after nobody does', async (t) => {
  const { blobs, store } = setUp(t);
  for (const protection of ['plain', 'secret'] as const) {
    for (const sizeBytes of [0, 100, PIECE + 100]) {
      const content = randomBytes(sizeBytes);
      const blob = await blobs.prepareStream(chunked(content), protection);
      const held = blobs.prepareAgain(blob);
      assert.ok(content.equals(await blobs.readPrepared(held, 0, sizeBytes + 1)));
      store.transactBuffered(() => blobs.retain(blob));
      store.transactBuffered(() => blobs.release(blob.digest));
      await blobs.collect();
      assert.ok(content.subarray(50).equals(await blobs.readPrepared(held, 50, sizeBytes)));
      blobs.abandon(held);
      await assert.rejects(blobs.readPrepared(held, 0, 1), /not prepared here/);
    }
  }
});

test('a stream that is given up after it was stored is collected', async (t) => {
  const scene = setUp(t);
  const blob = await scene.blobs.prepareStream(chunked(randomBytes(PIECE)), 'plain');
  assert.equal(await scene.blobs.collect(), 0, 'what is prepared is left alone');
  scene.blobs.abandon(blob);
  assert.equal(await scene.blobs.collect(), 1);
  assert.deepEqual(contentFiles(scene), []);
});

test('a secret stream is never in clear on disk, neither while it arrives nor afterwards', async (t) => {
  const scene = setUp(t);
  const content = Buffer.alloc(2 * PIECE + 100, 'hunter2 ');
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunked(content)) {
      yield chunk;
      assert.deepEqual(filesWith(scene.stateDir, Buffer.from('hunter2')), []);
    }
  };
  const blob = await scene.blobs.prepareStream(watched(), 'secret');
  assert.ok(contentFiles(scene).length > 0);
  assert.deepEqual(filesWith(scene.stateDir, Buffer.from('hunter2')), []);
  scene.blobs.abandon(blob);
});

test('a chunk is asked for only when the one before has been taken', async (t) => {
  const { blobs } = setUp(t);
  let open = 0;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < 4; piece += 1) {
      open += 1;
      assert.equal(open, 1);
      yield randomBytes(PIECE);
      open -= 1;
    }
  };
  blobs.abandon(await blobs.prepareStream(source(), 'plain'));
});

test('damaged content that is streamed again is whole again; a mere reference to it does not make it so', async (t) => {
  const { blobs, store, stateDir } = setUp(t);
  const content = randomBytes(PIECE);
  const protection: Protection = 'plain';
  const first = await blobs.prepare(content, protection);
  store.transactBuffered(() => blobs.retain(first));
  const reference = blobs.prepareExisting(first.digest);
  store.transactBuffered(() => new BlobRecords(store).markDamaged(first.digest));
  store.transactBuffered(() => blobs.retain(reference));
  assert.equal(blobs.isReadable(first.digest), false);
  const again = await blobs.prepareStream(chunked(content), protection);
  store.transactBuffered(() => blobs.retain(again));
  assert.ok(content.equals(await blobs.read(first.digest, 0, PIECE)));
  assert.equal(filesBelow(join(stateDir, 'blobs')).length, 1);
});

test('inPieces cuts exactly, whatever the chunks are', async () => {
  const sizes = async (...chunks: readonly number[]): Promise<number[]> => {
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (const sizeBytes of chunks) yield new Uint8Array(sizeBytes);
    };
    const found: number[] = [];
    for await (const piece of inPieces(source(), 10)) found.push(piece.length);
    return found;
  };
  assert.deepEqual(await sizes(), [0]);
  assert.deepEqual(await sizes(3, 0, 4), [7]);
  assert.deepEqual(await sizes(25), [10, 10, 5]);
  assert.deepEqual(await sizes(5, 5, 10), [10, 10, 0]);
});
