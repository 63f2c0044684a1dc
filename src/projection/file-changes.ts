/**
 * Single files of a projection added, replaced and taken away, in one swap. The other files stay as they are, by reference to what is
 * stored: they are neither read nor written, however large they are.
 */
import type { BlobStore, PreparedBlob } from '../store/blob-store.ts';
import type { FileNode } from './generation-nodes.ts';
import type { FileAttributes, MountFile, MountPayload } from './payload.ts';
import { DEFAULT_FILE_MODE } from './project-keys.ts';

/** Content that is prepared; what is not said of mode and owner is as in the file that is replaced. */
export interface ChangedFile extends Partial<FileAttributes> {
  readonly stored: PreparedBlob;
}

export interface FileChanges {
  /** By cleaned path. */
  readonly files: ReadonlyMap<string, ChangedFile>;
  /** Cleaned paths. */
  readonly removed: ReadonlySet<string>;
}

export interface LiveFile {
  readonly path: string;
  readonly file: FileNode;
}

/** Hands out the payload after the changes; it may be written as long as `task` has not ended. */
export async function withChangedFiles<T>(
  current: readonly LiveFile[],
  { files, removed }: FileChanges,
  blobs: Pick<BlobStore, 'prepareExisting' | 'abandon'>,
  task: (payload: MountPayload) => Promise<T>,
): Promise<T> {
  const held: PreparedBlob[] = [];
  try {
    const payload = new Map<string, MountFile>();
    for (const { path, file } of current) {
      if (removed.has(path)) continue;
      const changed = files.get(path);
      const stored = changed?.stored ?? blobs.prepareExisting(file.digest);
      if (changed === undefined) held.push(stored);
      payload.set(path, { stored, ...attributesOf({ ...file, ...changed }) });
    }
    for (const [path, { stored, ...rest }] of files) {
      if (!payload.has(path)) payload.set(path, { stored, ...attributesOf(rest) });
    }
    return await task(payload);
  } finally {
    for (const blob of held) blobs.abandon(blob);
  }
}

function attributesOf({
  mode,
  uid,
  gid,
}: {
  mode?: number;
  uid?: number | undefined;
  gid?: number | undefined;
}): FileAttributes {
  return {
    mode: mode ?? DEFAULT_FILE_MODE,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}
