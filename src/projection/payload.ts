/** What a caller asks to be projected. */

/** One file's wanted content (the reference's FileProjection). `mode` holds permission bits only, 0..0o777. */
export interface FileProjection {
  readonly data: Uint8Array;
  readonly mode: number;
  /** Owner; undefined leaves it to the writer (0 on the mount, the process's own on a plain directory). */
  readonly uid?: number;
  readonly gid?: number;
}

/** Relative path -> file. Paths are validated, then cleaned (`foo//bar` is `foo/bar`). */
export type Payload = ReadonlyMap<string, FileProjection>;
