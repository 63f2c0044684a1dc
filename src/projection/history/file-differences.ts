/**
 * Changed files as they are shown: text as the hunks of a unified diff, anything else by size and digest. Of a Secret
 * only paths, modes, owners and sizes are told: no content and no digest, which for a short secret is as good as its content.
 */
import { limits } from '../../base/limits.ts';
import type { Protection } from '../../store/blob-store.ts';
import type { Digest } from '../../store/digest.ts';
import type { Awaitable } from '../../vfs/file-system.ts';
import type { FileChange, FileState } from './file-changes.ts';
import { type Hunk, unifiedHunks } from './unified-hunks.ts';

export interface FileSide {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** sha256 of the content, hex; undefined for secret content. */
  readonly sha256: string | undefined;
}

export interface FileDifference {
  readonly path: string;
  readonly change: FileChange['change'];
  readonly before: FileSide | undefined;
  readonly after: FileSide | undefined;
  /** `unknown`: one of the two is sealed with a key that is gone, so nobody can tell. */
  readonly content: 'same' | 'differs' | 'unknown';
  /** Whether `hunks` shows the content, and if not, why not. `none`: there is nothing to show. */
  readonly shown: 'text' | 'binary' | 'too-large' | 'secret' | 'none';
  readonly hunks: readonly Hunk[];
}

export interface ContentSource {
  read(digest: Digest, offsetBytes: number, sizeBytes: number): Awaitable<Uint8Array>;
  /** Whether it is sealed with a key that is gone. */
  isSealedAway(digest: Digest): boolean;
  protectionOf(digest: Digest): Protection | undefined;
}

export interface DifferenceOptions {
  readonly changes: readonly FileChange[];
  readonly secret: boolean;
  readonly contents: ContentSource;
  readonly textBytesMax?: number;
  readonly totalBytesMax?: number;
}

/** Compared at once, of files of which the digests say nothing. */
const COMPARED_AT_ONCE_BYTES = 1_048_576;

/** Rejects like `ContentSource.read`. Reads one file at a time and lets others work in between. */
export async function describeDifferences(options: DifferenceOptions): Promise<FileDifference[]> {
  const { changes, secret, contents } = options;
  const { textBytesMax = limits.diffTextBytesMax, totalBytesMax = limits.diffTotalBytesMax } = options;
  const differences: FileDifference[] = [];
  let leftBytes = totalBytesMax;
  for (const change of changes) {
    const { path, change: kind, before, after } = change;
    const known = {
      path,
      change: kind,
      before: side(before, secret),
      after: side(after, secret),
      content: await compareContent(before, after, contents),
    };
    if (known.content === 'same' && hasSameAttributes(change)) continue;
    if (secret || known.content === 'same') {
      differences.push({ ...known, shown: secret ? 'secret' : 'none', hunks: [] });
      continue;
    }
    const sizesBytes = [before?.sizeBytes ?? 0, after?.sizeBytes ?? 0];
    const sumBytes = sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
    if (sizesBytes.some((sizeBytes) => sizeBytes > textBytesMax) || sumBytes > leftBytes) {
      differences.push({ ...known, shown: 'too-large', hunks: [] });
      continue;
    }
    leftBytes -= sumBytes;
    const [oldText, newText] = [await readText(before, contents), await readText(after, contents)];
    if (oldText === undefined || newText === undefined) differences.push({ ...known, shown: 'binary', hunks: [] });
    else differences.push({ ...known, shown: 'text', hunks: unifiedHunks(oldText, newText) });
    await new Promise(setImmediate);
  }
  return differences;
}

/** Then only the digests differed. */
function hasSameAttributes({ before, after }: FileChange): boolean {
  return before?.mode === after?.mode && before?.uid === after?.uid && before?.gid === after?.gid;
}

function side(state: FileState | undefined, secret: boolean): FileSide | undefined {
  if (state === undefined) return undefined;
  const { mode, uid, gid, sizeBytes, digest } = state;
  return { mode, uid, gid, sizeBytes, sha256: secret ? undefined : digest.toString('hex') };
}

async function compareContent(
  before: FileState | undefined,
  after: FileState | undefined,
  contents: ContentSource,
): Promise<FileDifference['content']> {
  if (before === undefined || after === undefined) return 'differs';
  if (before.digest.equals(after.digest)) return 'same';
  if (before.sizeBytes !== after.sizeBytes) return 'differs';
  // Digests of secrets are keyed: under another key, or before it was one, the same content has another digest.
  if (contents.isSealedAway(before.digest) || contents.isSealedAway(after.digest)) return 'unknown';
  if (contents.protectionOf(before.digest) === contents.protectionOf(after.digest)) return 'differs';
  return (await haveSameBytes(before, after, contents)) ? 'same' : 'differs';
}

async function haveSameBytes(before: FileState, after: FileState, contents: ContentSource): Promise<boolean> {
  for (let offset = 0; offset < before.sizeBytes; offset += COMPARED_AT_ONCE_BYTES) {
    const bytes = await contents.read(before.digest, offset, COMPARED_AT_ONCE_BYTES);
    const others = await contents.read(after.digest, offset, COMPARED_AT_ONCE_BYTES);
    if (Buffer.compare(bytes, others) !== 0) return false;
  }
  return true;
}

/** Undefined if it is not text: not UTF-8, or with a zero byte. A file that is not there is empty text. */
async function readText(state: FileState | undefined, contents: ContentSource): Promise<string | undefined> {
  if (state === undefined || state.sizeBytes === 0) return '';
  const bytes = await contents.read(state.digest, 0, state.sizeBytes);
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // The decoder's way to say that it is no UTF-8.
    return undefined;
  }
}
