/** What the routes of the file API ask of the daemon: a port of the server. */
import type { AllocFiles } from '../alloc/files/alloc-files.ts';

export interface FoundAlloc {
  /** Undefined: the alloc is known, but its directory is gone or about to go. */
  readonly files: AllocFiles | undefined;
  /** False for a task whose directory is not built yet. */
  isStarted(task: string): boolean;
}

export interface AllocFilesPort {
  /** Undefined for an alloc that nobody has heard of. */
  find(allocId: string): FoundAlloc | undefined;
}
