/** One open of an audited file, as the FUSE thread tells the main thread and as it is written down. Never with content. */

export interface AuditEvent {
  readonly timeMs: number;
  /** Below which directory of the tree it was opened. */
  readonly view: 'projections' | 'live';
  /** Directory of the projection; undefined if that was deleted and the file was opened by way of an open directory. */
  readonly projection: string | undefined;
  readonly path: string;
  readonly generation: number;
  /** The ids that count for access to files (fsuid, fsgid). */
  readonly uid: number;
  readonly gid: number;
  /** As the daemon sees the process; 0 if it is in a process namespace that the daemon does not see into. */
  readonly pid: number;
  /** Path of its program and name of its thread, if it could be told. */
  readonly program: string | undefined;
  readonly command: string | undefined;
  /** The kernel asked again because a daemon died: the open may have been written down before. */
  readonly repeated: boolean;
}

export interface AuditBatch {
  readonly events: readonly AuditEvent[];
  /** Opens that found no room in the queue since the last batch. */
  readonly lost: number;
}
