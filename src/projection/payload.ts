/** What a caller asks to be projected. */
import type { PreparedBlob } from '../store/blob-store.ts';

/** Mode and owner of one file. */
export interface FileAttributes {
  /** Permission bits only, 0..0o777. */
  readonly mode: number;
  /** Owner; undefined leaves it to the writer (0 on the mount, the process's own on a plain directory). */
  readonly uid?: number;
  readonly gid?: number;
}

/** One file's wanted content (the reference's FileProjection). */
export interface FileProjection extends FileAttributes {
  readonly data: Uint8Array;
}

/** A file of which the content is in the store already: of an earlier generation, or streamed there. The caller keeps it prepared. */
export interface StoredFile extends FileAttributes {
  readonly stored: PreparedBlob;
}

/** What the mount takes. */
export type MountFile = FileProjection | StoredFile;

/** Relative path -> file. Paths are validated, then cleaned (`foo//bar` is `foo/bar`). */
export type Payload = ReadonlyMap<string, FileProjection>;
export type MountPayload = ReadonlyMap<string, MountFile>;
