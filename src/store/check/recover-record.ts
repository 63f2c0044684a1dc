/**
 * Makes the record of content anew from what is there: bytes that match the digest prove everything a record says but the
 * number of references, and that is counted. If no bytes match, the record says that the content is damaged, so that reads
 * fail with CORRUPT instead of finding nothing.
 */
import { limits } from '../../base/limits.ts';
import type { BlobRecord } from '../blob-records.ts';
import type { Digest } from '../digest.ts';
import type { BlobScene } from './blob-scene.ts';
import type { Reference } from './references.ts';
import { type Verdict, type Verifiable, verifyFile, verifyInline } from './verify-content.ts';

export interface Recovered {
  readonly record: BlobRecord;
  readonly verdict: Verdict;
}

type Place = BlobRecord['place'];

/** Looks at both places where content can be, with the length that the files which refer to it have. */
export async function recoverRecord(scene: BlobScene, reference: Reference): Promise<Recovered> {
  const { digest, sizeBytes, protection, count } = reference;
  const keyId = protection === 'secret' ? (scene.options.key?.id ?? '') : '';
  const blob: Verifiable = { sizeBytes, protection, keyId };
  const candidates: Recovered[] = [];
  const usual: Place = sizeBytes <= limits.inlineBlobBytesMax ? 'inline' : 'file';
  for (const place of ['inline', 'file'] as const) {
    const verdict = await verifyAt(scene, digest, blob, place);
    const whole: BlobRecord = { references: count, sizeBytes, protection, keyId, place };
    if (verdict.state === 'intact') return { record: whole, verdict };
    // Without the key the length is all there is; whoever has the key finds out more.
    if (verdict.state === 'unverifiable') candidates.unshift({ record: { ...whole, keyId: '' }, verdict });
    else if (place === usual) candidates.push({ record: { ...whole, damaged: true }, verdict });
  }
  return candidates[0] as Recovered;
}

export function verifyAt(scene: BlobScene, digest: Digest, blob: Verifiable, place: Place): Promise<Verdict> {
  const { key, pace } = scene.options;
  if (place === 'file') return verifyFile(scene.path(digest), digest, blob, key, pace);
  return Promise.resolve(verifyInline(digest, blob, scene.inline.get(digest), key));
}
