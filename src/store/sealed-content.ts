/**
 * The sealed form of secret content.
 *
 * Plain bytes are cut into chunks of `limits.sealedChunkBytes`. Each chunk becomes nonce (12) | ciphertext | tag (16),
 * AES-256-GCM with a random nonce. The additional data names the blob, the chunk's index and whether it is the last
 * one: a chunk cannot stand in for another, and the end cannot be cut off. Empty content is one empty chunk.
 * Chunks have a fixed size, so a read at an offset opens only the chunks it touches.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { DIGEST_BYTES, type Digest } from './digest.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';
const PLAIN_CHUNK_BYTES = limits.sealedChunkBytes;
const SEALED_CHUNK_BYTES = NONCE_BYTES + PLAIN_CHUNK_BYTES + TAG_BYTES;

/** Which sealed bytes hold a range of plain bytes. */
export interface SealedSpan {
  readonly firstChunk: number;
  readonly sealedOffsetBytes: number;
  readonly sealedSizeBytes: number;
}

function chunkCount(plainSizeBytes: number): number {
  return Math.max(1, Math.ceil(plainSizeBytes / PLAIN_CHUNK_BYTES));
}

export function sealedSizeBytes(plainSizeBytes: number): number {
  return plainSizeBytes + chunkCount(plainSizeBytes) * (NONCE_BYTES + TAG_BYTES);
}

function additionalData(digest: Digest, chunk: number, isLast: boolean): Buffer {
  const bytes = Buffer.alloc(DIGEST_BYTES + 9);
  digest.copy(bytes);
  bytes.writeBigUInt64BE(BigInt(chunk), DIGEST_BYTES);
  bytes.writeUInt8(isLast ? 1 : 0, DIGEST_BYTES + 8);
  return bytes;
}

export function seal(key: Uint8Array, digest: Digest, plain: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(sealedSizeBytes(plain.length));
  const chunks = chunkCount(plain.length);
  let position = 0;
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const bytes = plain.subarray(chunk * PLAIN_CHUNK_BYTES, (chunk + 1) * PLAIN_CHUNK_BYTES);
    position += sealChunk(key, digest, chunk, chunk === chunks - 1, bytes).copy(sealed, position);
  }
  return sealed;
}

/** One chunk of content that comes in pieces. Only the last one may be shorter than `limits.sealedChunkBytes`. */
export function sealChunk(key: Uint8Array, digest: Digest, chunk: number, isLast: boolean, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(additionalData(digest, chunk, isLast));
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([nonce, body, cipher.getAuthTag()]);
}

/** The whole chunks that cover plain bytes `offsetBytes` to `endBytes` (exclusive) of content of that size. */
export function sealedSpan(plainSizeBytes: number, offsetBytes: number, endBytes: number): SealedSpan {
  const firstChunk = Math.floor(offsetBytes / PLAIN_CHUNK_BYTES);
  const lastChunk = Math.max(firstChunk, Math.ceil(endBytes / PLAIN_CHUNK_BYTES) - 1);
  const sealedOffsetBytes = firstChunk * SEALED_CHUNK_BYTES;
  const sealedEnd = Math.min((lastChunk + 1) * SEALED_CHUNK_BYTES, sealedSizeBytes(plainSizeBytes));
  return { firstChunk, sealedOffsetBytes, sealedSizeBytes: sealedEnd - sealedOffsetBytes };
}

/** Opens the chunks of a span; the result begins with the first plain byte of `firstChunk`. Throws CORRUPT if one was changed, moved or cut. */
export function unseal(
  key: Uint8Array,
  digest: Digest,
  plainSizeBytes: number,
  firstChunk: number,
  sealed: Uint8Array,
): Buffer {
  const chunks = chunkCount(plainSizeBytes);
  const plain: Buffer[] = [];
  for (let position = 0, chunk = firstChunk; position < sealed.length; chunk += 1) {
    const end = Math.min(position + SEALED_CHUNK_BYTES, sealed.length);
    plain.push(unsealChunk(key, additionalData(digest, chunk, chunk === chunks - 1), sealed.subarray(position, end)));
    position = end;
  }
  return plain.length === 1 && plain[0] !== undefined ? plain[0] : Buffer.concat(plain);
}

function unsealChunk(key: Uint8Array, additional: Buffer, sealed: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw damaged();
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(additional).setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const body = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (error) {
    throw damaged(error);
  }
  return body;
}

function damaged(cause?: unknown): DunnageError {
  return new DunnageError('CORRUPT', 'sealed content was changed on disk: its authentication tag does not match', {
    remedy: 'Apply the secret again from its source.',
    cause,
  });
}
