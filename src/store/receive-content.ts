/**
 * Content that arrives as a stream: of any length, in memory that does not grow with it. Short content stays in memory; longer
 * content goes to a temporary file while it is hashed, and gets its name when its digest is known.
 *
 * Sealed content names its digest in every chunk, and the digest is known at the end only. So a secret stream is
 * sealed under a key that is forgotten afterwards first, and sealed anew from that file: twice the work and twice the room for a
 * moment, and never in clear on disk.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { limits } from '../base/limits.ts';
import type { BlobFiles } from './blob-files.ts';
import type { Protection } from './blob-records.ts';
import { DIGEST_BYTES, type Digest, plainDigester, toDigest } from './digest.ts';
import { sealChunk, sealedSpan, unseal } from './sealed-content.ts';
import type { SealingKey } from './sealing-key.ts';
import type { TemporaryFile } from './temporary-file.ts';

export interface ContentPlace {
  readonly files: BlobFiles;
  readonly sealingKey: SealingKey;
  readonly protection: Protection;
}

export type ReceivedContent =
  | { readonly data: Uint8Array }
  /** In stored form; to be published under the digest, or discarded. */
  | { readonly file: TemporaryFile; readonly digest: Digest; readonly sizeBytes: number };

/** Pieces written at once; a multiple of the sealed chunk. */
const PIECE_BYTES = 16 * limits.sealedChunkBytes;
const KEY_BYTES = 32;
/** Under the passing key no content has a name yet, and no chunk is known to be the last. */
const NO_DIGEST = toDigest(Buffer.alloc(DIGEST_BYTES));
const ENDLESS_BYTES = Number.MAX_SAFE_INTEGER;

/**
 * Takes all of `chunks`; a chunk is asked for when the one before is written. What `chunks` throws is thrown on, and nothing is
 * left behind then. Throws NO_SPACE, IO.
 */
export async function receiveContent(
  chunks: AsyncIterable<Uint8Array>,
  { files, sealingKey, protection }: ContentPlace,
): Promise<ReceivedContent> {
  const digester = protection === 'secret' ? sealingKey.digester() : plainDigester();
  const passing = protection === 'secret' ? randomBytes(KEY_BYTES) : undefined;
  let file: TemporaryFile | undefined;
  let sizeBytes = 0;
  try {
    for await (const piece of inPieces(chunks, PIECE_BYTES)) {
      // The first piece is short only if it is all.
      if (file === undefined && piece.length <= limits.inlineBlobBytesMax) return { data: Uint8Array.from(piece) };
      file ??= await files.createTemporary();
      digester.update(piece);
      await file.append(passing === undefined ? piece : sealPiece(passing, NO_DIGEST, piece, sizeBytes, false));
      sizeBytes += piece.length;
    }
    assert(file !== undefined, 'there is a piece at least');
    const digest = toDigest(digester.digest());
    if (passing === undefined) return { file, digest, sizeBytes };
    return { file: await resealed(file, passing, sizeBytes, { files, sealingKey, digest }), digest, sizeBytes };
  } catch (error) {
    await file?.discard();
    throw error;
  }
}

/** Pieces of exactly that size; the last one is shorter, perhaps empty. A piece is valid until the next one is asked for. */
export async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  const piece = Buffer.allocUnsafeSlow(pieceBytes);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = Math.min(pieceBytes - filled, chunk.length - taken);
      piece.set(chunk.subarray(taken, taken + part), filled);
      filled += part;
      taken += part;
      if (filled < pieceBytes) continue;
      yield piece;
      filled = 0;
    }
  }
  yield piece.subarray(0, filled);
}

/** Preconditions: the piece begins with a chunk. `isLast`: the content ends with it. */
function sealPiece(
  key: Uint8Array,
  digest: Digest,
  piece: Uint8Array,
  offsetBytes: number,
  isLast: boolean,
): Uint8Array {
  const sealed: Uint8Array[] = [];
  let chunk = offsetBytes / limits.sealedChunkBytes;
  for (let at = 0; at < piece.length; at += limits.sealedChunkBytes, chunk += 1) {
    const end = at + limits.sealedChunkBytes;
    sealed.push(sealChunk(key, digest, chunk, isLast && end >= piece.length, piece.subarray(at, end)));
  }
  return Buffer.concat(sealed);
}

/** The same content sealed for good, in another file; the first is gone when it resolves. */
async function resealed(
  from: TemporaryFile,
  passing: Uint8Array,
  sizeBytes: number,
  { files, sealingKey, digest }: { files: BlobFiles; sealingKey: SealingKey; digest: Digest },
): Promise<TemporaryFile> {
  const to = await files.createTemporary();
  try {
    for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
      const end = Math.min(offset + PIECE_BYTES, sizeBytes);
      const span = sealedSpan(sizeBytes, offset, end);
      const sealed = await from.read(span.sealedOffsetBytes, span.sealedSizeBytes);
      const plain = unseal(passing, NO_DIGEST, ENDLESS_BYTES, span.firstChunk, sealed);
      await to.append(sealPiece(sealingKey.encryptionKey, digest, plain, offset, end === sizeBytes));
    }
    await from.discard();
    return to;
  } catch (error) {
    await to.discard();
    throw error;
  }
}
