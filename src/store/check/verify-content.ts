/**
 * Reads the stored bytes of one blob and compares them with what names them: plain content by its SHA-256, sealed content by
 * the authentication tag of each chunk. Without the key that sealed it only its length can be checked.
 *
 * Works in slices: between two of them the event loop runs, and `pace` may wait.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { BlobRecord } from '../blob-records.ts';
import { type Digest, plainDigest } from '../digest.ts';
import { sealedSizeBytes, sealedSpan, unseal } from '../sealed-content.ts';
import type { SealingKey } from '../sealing-key.ts';
import type { BlobFindingCode } from './finding.ts';

export type Verdict =
  | { readonly state: 'intact' }
  /** The length is right; nothing else can be said without the key. */
  | { readonly state: 'unverifiable' }
  | { readonly state: 'damaged'; readonly code: DamageCode; readonly how: string };

export type DamageCode = Extract<
  BlobFindingCode,
  'content-missing' | 'content-truncated' | 'content-changed' | 'content-unreadable'
>;

/** What must be known of a blob to verify it. */
export type Verifiable = Pick<BlobRecord, 'sizeBytes' | 'protection' | 'keyId'>;

/** Called before each slice with its length; may wait. */
export type Pace = (sizeBytes: number) => Promise<void> | void;

/** Read and hashed in one go: a fraction of a millisecond of work. */
const SLICE_BYTES = limits.sealedChunkBytes;

const INTACT: Verdict = { state: 'intact' };

export function storedSizeBytes({ sizeBytes, protection }: Pick<Verifiable, 'sizeBytes' | 'protection'>): number {
  return protection === 'secret' ? sealedSizeBytes(sizeBytes) : sizeBytes;
}

/** `stored` is what the metadata holds. */
export function verifyInline(
  digest: Digest,
  blob: Verifiable,
  stored: Uint8Array | undefined,
  key: SealingKey | undefined,
): Verdict {
  if (stored === undefined) return damaged('content-missing', 'its bytes are not in the metadata');
  const lengthVerdict = verifyLength(blob, stored.length);
  if (lengthVerdict !== undefined) return lengthVerdict;
  if (blob.protection === 'plain') return plainDigest(stored).equals(digest) ? INTACT : changed();
  if (key?.id !== blob.keyId) return { state: 'unverifiable' };
  return verifyChunk(key, digest, blob.sizeBytes, 0, stored) ? INTACT : tagMismatch();
}

/** Never throws what the file is to blame for: that is the verdict. */
export async function verifyFile(
  path: string,
  digest: Digest,
  blob: Verifiable,
  key: SealingKey | undefined,
  pace: Pace,
): Promise<Verdict> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const status = await handle.stat();
    if (!status.isFile()) return damaged('content-missing', `${path} is not a regular file`);
    const lengthVerdict = verifyLength(blob, status.size);
    if (lengthVerdict !== undefined) return lengthVerdict;
    if (blob.protection === 'plain') return await verifyPlainFile(handle, digest, blob.sizeBytes, pace);
    if (key?.id !== blob.keyId) return { state: 'unverifiable' };
    return await verifySealedFile(handle, digest, blob.sizeBytes, key, pace);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return damaged('content-missing', `${path} is missing`);
    if (code === 'EIO' || code === 'ELOOP' || code === 'EISDIR') {
      return damaged('content-unreadable', `${path} cannot be read: ${code}`);
    }
    throw error;
  } finally {
    await handle?.close();
  }
}

function verifyLength(blob: Verifiable, sizeBytes: number): Verdict | undefined {
  const wanted = storedSizeBytes(blob);
  if (sizeBytes === wanted) return undefined;
  return damaged('content-truncated', `${sizeBytes} bytes are stored instead of ${wanted}`);
}

async function verifyPlainFile(handle: FileHandle, digest: Digest, sizeBytes: number, pace: Pace): Promise<Verdict> {
  const hash = createHash('sha256');
  const slice = Buffer.allocUnsafe(SLICE_BYTES);
  for (let at = 0; at < sizeBytes; at += slice.length) {
    const wanted = Math.min(slice.length, sizeBytes - at);
    await pace(wanted);
    if (!(await fill(handle, slice, wanted, at))) return damaged('content-truncated', 'the file was cut off');
    hash.update(slice.subarray(0, wanted));
  }
  return hash.digest().equals(digest) ? INTACT : changed();
}

async function verifySealedFile(
  handle: FileHandle,
  digest: Digest,
  sizeBytes: number,
  key: SealingKey,
  pace: Pace,
): Promise<Verdict> {
  for (let at = 0; at === 0 || at < sizeBytes; at += limits.sealedChunkBytes) {
    const span = sealedSpan(sizeBytes, at, Math.min(at + limits.sealedChunkBytes, sizeBytes));
    const sealed = Buffer.allocUnsafe(span.sealedSizeBytes);
    await pace(sealed.length);
    if (!(await fill(handle, sealed, sealed.length, span.sealedOffsetBytes))) {
      return damaged('content-truncated', 'the file was cut off');
    }
    if (!verifyChunk(key, digest, sizeBytes, span.firstChunk, sealed)) return tagMismatch();
  }
  return INTACT;
}

/** False if the file ends early. */
async function fill(handle: FileHandle, target: Buffer, sizeBytes: number, offsetBytes: number): Promise<boolean> {
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await handle.read(target, done, sizeBytes - done, offsetBytes + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

function verifyChunk(key: SealingKey, digest: Digest, sizeBytes: number, chunk: number, sealed: Uint8Array): boolean {
  try {
    unseal(key.encryptionKey, digest, sizeBytes, chunk, sealed).fill(0);
    return true;
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'CORRUPT') return false;
    throw error;
  }
}

function changed(): Verdict {
  return damaged('content-changed', 'its SHA-256 is another one');
}

function tagMismatch(): Verdict {
  return damaged('content-changed', 'an authentication tag does not match');
}

function damaged(code: DamageCode, how: string): Verdict {
  return { state: 'damaged', code, how };
}
