/** The name of a blob: 32 bytes that its content determines. Plain content: SHA-256. Secret content: a keyed hash. */
import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import type { Branded } from '../base/ids.ts';

/** 32 bytes. Equal digests mean equal content; as text it is 64 hex digits. */
export type Digest = Branded<Buffer, 'Digest'>;

export const DIGEST_BYTES = 32;

export function toDigest(bytes: Uint8Array): Digest {
  assert.equal(bytes.length, DIGEST_BYTES, 'a digest has 32 bytes');
  return Buffer.from(bytes) as Digest;
}

/** A digest of content that comes in pieces. */
export interface Digester {
  update(piece: Uint8Array): unknown;
  /** Once, at the end: 32 bytes. */
  digest(): Uint8Array;
}

/** `plainDigest` in pieces. */
export function plainDigester(): Digester {
  return createHash('sha256');
}

/** Digest of content that anybody may see. */
export function plainDigest(data: Uint8Array): Digest {
  return hash('sha256', data, 'buffer') as Digest;
}
