/**
 * The publication of a generation as one short record, from which it can be made again (`Store.transactRecorded`): all that
 * `Catalog.publish` is given. Secrets are in it as they are stored, sealed, with the key they were sealed with named.
 *
 * Length of the head u32, little endian | head as JSON | content list | inline content of each blob that has any.
 */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { PreparedBlob } from '../store/blob-store.ts';
import { toDigest } from '../store/digest.ts';
import type { StagedGeneration } from './staged-generation.ts';

export interface PublicationRecord {
  readonly staged: StagedGeneration;
  readonly publishedAtMs: number;
}

interface BlobHead extends Omit<PreparedBlob, 'digest' | 'inline'> {
  readonly digest: string;
  /** -1: not inline. */
  readonly inlineBytes: number;
}

interface Head {
  readonly staged: Omit<StagedGeneration, 'content' | 'blobs' | 'ahead'>;
  readonly publishedAtMs: number;
  readonly contentBytes: number;
  readonly blobs: readonly BlobHead[];
}

export function encodePublication({ staged, publishedAtMs }: PublicationRecord, keyId: string): Buffer {
  const { content, blobs, ahead: _, ...rest } = staged;
  const head: Head = {
    staged: rest,
    publishedAtMs,
    contentBytes: content.length,
    blobs: blobs.map(({ digest, inline, ...blob }) => ({
      ...blob,
      ...(blob.protection === 'secret' && { keyId }),
      digest: digest.toString('hex'),
      inlineBytes: inline?.length ?? -1,
    })),
  };
  const text = Buffer.from(JSON.stringify(head), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, content, ...blobs.map(({ inline }) => inline ?? new Uint8Array())]);
}

/** Throws CORRUPT. What is given was whole when it was read. */
export function decodePublication(record: Uint8Array): PublicationRecord {
  const bytes = Buffer.from(record);
  try {
    let at = 4 + bytes.readUInt32LE(0);
    const head = JSON.parse(bytes.toString('utf8', 4, at)) as Head;
    const take = (length: number): Buffer => {
      if (at + length > bytes.length) throw new RangeError('the record ends early');
      at += length;
      return bytes.subarray(at - length, at);
    };
    const content = take(head.contentBytes);
    const blobs = head.blobs.map(({ digest, inlineBytes, ...blob }) => ({
      ...blob,
      digest: toDigest(Buffer.from(digest, 'hex')),
      inline: inlineBytes < 0 ? undefined : take(inlineBytes),
    }));
    return { staged: { ...head.staged, content, blobs }, publishedAtMs: head.publishedAtMs };
  } catch (cause) {
    throw new DunnageError('CORRUPT', 'the record of a publication cannot be read', { cause });
  }
}
