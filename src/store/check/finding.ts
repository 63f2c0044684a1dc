/**
 * What a check of the state directory finds, as data. A check module looks at one thing and yields issues: a finding,
 * and the function that mends it, if it can be mended. The runner (`run-checks.ts`) decides whether that function is called.
 *
 * Each repair is a transaction of its own and looks again before it changes anything: what was found may have been
 * mended by an earlier repair, or by the daemon meanwhile. So a crash between two repairs leaves a state that can be
 * checked and mended again.
 */

interface Kind {
  /** What is wrong, in general; docs/fsck.md has the same sentence. */
  readonly title: string;
  /** Whether a running daemon may mend it: the kernel and the FUSE thread keep nothing that contradicts the repair. */
  readonly online: boolean;
}

const TABLE = {
  'content-missing': { title: 'the bytes of a file are gone', online: true },
  'content-truncated': { title: 'the bytes of a file do not have the recorded length', online: true },
  'content-changed': { title: 'the bytes of a file do not match their digest', online: true },
  'content-unreadable': { title: 'the disk does not give the bytes of a file', online: true },
  'content-lost': { title: 'damaged content that only its source can bring back', online: true },
  'content-intact': { title: 'content is marked as damaged but is whole', online: true },
  'blob-record-unreadable': { title: 'a record of the content index cannot be read', online: true },
  'blob-record-missing': { title: 'files refer to content that the index does not have', online: true },
  'blob-count-wrong': { title: 'the number of references to content is wrong', online: true },
  'blob-unreferenced': { title: 'content in the index to which no file refers', online: true },
  'blob-row-dangling': { title: 'bytes in the metadata that no record names', online: true },
  'blob-file-dangling': { title: 'a content file that no record names', online: true },
  'temporary-file': { title: 'a file that an interrupted write left', online: true },
  'blob-totals-wrong': { title: 'the totals of the content index are wrong', online: true },
} as const;

/** A code of docs/fsck.md; other rooms have more. */
export type BlobFindingCode = keyof typeof TABLE;

export const BLOB_FINDINGS: Readonly<Record<BlobFindingCode, Kind>> = TABLE;

export interface Finding {
  /** Stable; programs compare it. */
  readonly code: string;
  /** What it is about, e.g. `web: tls/tls.crt` or `content 3f2a...`. Never holds content. */
  readonly object: string;
  /** A sentence: what exactly is wrong. */
  readonly what: string;
  readonly repairable: boolean;
  /** What a repair does or did; if nothing can be repaired, what somebody has to do. */
  readonly action: string;
}

export interface Issue extends Finding {
  /** Bytes on disk that a repair gives back. */
  readonly freedBytes?: number;
  /** May be mended while a daemon serves the tree. */
  readonly online: boolean;
  /** Undefined if it cannot be mended. Makes its own transactions. */
  readonly repair: (() => void | Promise<void>) | undefined;
}

/** A small module that looks at one thing. */
export interface Check {
  readonly name: string;
  /** In one turn of the event loop, or object by object if it waits for something: what is yielded was true at that moment. */
  find(): Iterable<Issue> | AsyncIterable<Issue>;
}

/** An issue with what its code says about it. */
export function blobIssue(
  code: BlobFindingCode,
  fields: Pick<Issue, 'object' | 'what' | 'action' | 'repair' | 'freedBytes'>,
): Issue {
  return { code, ...fields, repairable: fields.repair !== undefined, online: TABLE[code].online };
}

export function toFinding({ code, object, what, repairable, action }: Finding): Finding {
  return { code, object, what, repairable, action };
}
