/**
 * Which files differ between two generations: by path, permission bits, owner, size and digest. Content is not read.
 * A file that was renamed is one removed and one added.
 */
import type { Digest } from '../../store/digest.ts';
import type { FileNode } from '../generation-nodes.ts';

export interface FileState {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

/** Files of one generation by path. */
export type FileStates = ReadonlyMap<string, FileState>;

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'modified';
  /** Undefined if the file was added. */
  readonly before: FileState | undefined;
  /** Undefined if the file was removed. */
  readonly after: FileState | undefined;
}

/** `owner` stands in where a file has none of its own. */
export function fileStates(
  files: Iterable<{ readonly path: string; readonly file: FileNode }>,
  owner: { readonly uid: number; readonly gid: number },
): Map<string, FileState> {
  const states = new Map<string, FileState>();
  for (const { path, file } of files) {
    const { mode, sizeBytes, digest } = file;
    states.set(path, { mode, uid: file.uid ?? owner.uid, gid: file.gid ?? owner.gid, sizeBytes, digest });
  }
  return states;
}

/** In the order of their paths, by code units. */
export function fileChanges(before: FileStates, after: FileStates): FileChange[] {
  const changes: FileChange[] = [];
  for (const [path, state] of before) {
    const now = after.get(path);
    if (now === undefined) changes.push({ path, change: 'removed', before: state, after: undefined });
    else if (!isSame(state, now)) changes.push({ path, change: 'modified', before: state, after: now });
  }
  for (const [path, state] of after) {
    if (!before.has(path)) changes.push({ path, change: 'added', before: undefined, after: state });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isSame(a: FileState, b: FileState): boolean {
  return (
    a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.sizeBytes === b.sizeBytes && a.digest.equals(b.digest)
  );
}
