/** What the control API asks of the daemon about allocs: a part of `ControlOperations`. */

import type { AllocState } from '../alloc/service/alloc-records.ts';

export interface AllocSummary {
  readonly id: string;
  readonly state: AllocState;
  readonly tasks: number;
  readonly createdAtMs: number;
  /** Sentences: why it is broken, for whom its deletion waits, which projections are missing, whose secrets were lost. */
  readonly notes: readonly string[];
}

export interface PresentedProjectionSummary {
  /** Directory under projections/. */
  readonly name: string;
  /** Relative to the task directory. */
  readonly path: string;
  readonly presented: boolean;
  /** Why it is not there. */
  readonly reason?: string;
}

export interface TaskSummary {
  readonly name: string;
  /** Its directory in the tree, absolute. */
  readonly path: string;
  readonly isolation: string;
  readonly user?: string;
  readonly secretsSizeBytes: number;
  readonly projections: readonly PresentedProjectionSummary[];
}

export interface AllocDetail extends Omit<AllocSummary, 'tasks'> {
  /** Its directory in the tree, absolute. */
  readonly path: string;
  readonly tasks: readonly TaskSummary[];
}

export interface AllocDeletion {
  readonly id: string;
  /** Nothing of it is left. Otherwise the deletion goes on in the background. */
  readonly deleted: boolean;
  /** For whom it waits, in words. */
  readonly awaiting: readonly string[];
}

export interface AllocMove {
  readonly from: string;
  readonly to: string;
  /** Tasks whose local directories went along. */
  readonly tasks: readonly string[];
}

export interface AllocRestore {
  readonly id: string;
  /** Directories that were replaced, relative to the alloc. */
  readonly replaced: readonly string[];
  readonly entries: number;
  readonly sizeBytes: number;
}

export interface AllocOperations {
  listAllocs(): Promise<readonly AllocSummary[]>;
  getAlloc(id: string): Promise<AllocDetail>;
  deleteAlloc(id: string): Promise<AllocDeletion>;
  /** Data and local directories of `from` replace those of `to`. */
  moveAlloc(from: string, to: string): Promise<AllocMove>;
  /** A tar of data and local directories. If something cannot be read an error entry is its last one, and its iteration fails after that. */
  snapshotAlloc(id: string): Promise<AsyncIterable<Uint8Array>>;
  /** Replaces data and local directories by those of a tar: all of it, or nothing. */
  restoreAlloc(id: string, tar: AsyncIterable<Uint8Array>): Promise<AllocRestore>;
}
