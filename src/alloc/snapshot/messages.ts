/** What is said between the thread that works on snapshots and who wants it done. */
import type { ErrorCode } from '../../errors/table.ts';
import type { SnapshotRoot } from './snapshot-names.ts';

/** Descriptors are open in this process and stay so meanwhile. */
export type SnapshotJob =
  | {
      readonly kind: 'snapshot';
      /** The alloc's directory. */
      readonly directory: number;
      readonly allocId: string;
      readonly roots: readonly SnapshotRoot[];
      /** Directories beneath the alloc's whose files are secret, `<task>/secrets`: nothing that is in them is taken, under no name. */
      readonly secret: readonly string[];
      /** Identities (`nodeIdentity`) of what is not taken. */
      readonly excluded: readonly string[];
    }
  | {
      readonly kind: 'unpack';
      /** Where the archive is unpacked. */
      readonly directory: number;
      /** What it may have in it; everything, if this is undefined. */
      readonly roots: readonly SnapshotRoot[] | undefined;
      readonly owners: boolean;
    }
  | {
      readonly kind: 'restore';
      readonly alloc: number;
      /** The staging directory, and the name of what is worked with there. */
      readonly staging: number;
      readonly name: string;
      readonly roots: readonly SnapshotRoot[];
      readonly owners: boolean;
    }
  /** Finishes or undoes a restore that a crash has interrupted. */
  | { readonly kind: 'mend'; readonly alloc: number; readonly staging: number; readonly name: string };

/** Shared between both: how many pieces of the snapshot were taken, and whether to stop. */
export const SHARED = { taken: 0, stop: 1, words: 2 } as const;
/** Pieces on their way from one to the other. */
export const PIECES_AHEAD = 8;

export interface SnapshotThreadData {
  readonly shared: Int32Array;
}

export interface SnapshotReport {
  readonly entries: number;
  /** Length of the archive. */
  readonly archiveBytes: number;
  /** What is not in it, by reason. */
  readonly skipped: {
    readonly sockets: number;
    readonly devices: number;
    readonly mountPoints: number;
    readonly secret: number;
    readonly vanished: number;
  };
}

/** What became of a restore that a crash had interrupted. */
export type MendedRestore = 'nothing' | 'undone' | 'finished';

export interface UnpackSummary {
  readonly entries: number;
  /** Bytes of files. */
  readonly bytes: number;
  /** Extended attributes that this user or file system cannot keep. */
  readonly lostXattrs: number;
  /** Of a restore: the directories that were replaced, relative to the alloc's. */
  readonly replaced?: readonly string[];
  readonly outcome?: MendedRestore;
}

export interface Failed {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string | undefined;
}

export type FromThread =
  | { readonly kind: 'piece'; readonly bytes: Uint8Array }
  /** One piece that was given has been worked on. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'snapshot'; readonly report: SnapshotReport }
  | { readonly kind: 'unpacked'; readonly summary: UnpackSummary }
  | Failed;

export type ToThread =
  /** One after the other: the next one is given when the one before has ended. */
  | { readonly kind: 'job'; readonly job: SnapshotJob }
  /** Undefined is the end of the archive. */
  | { readonly kind: 'piece'; readonly bytes: Uint8Array | undefined }
  /** That of a piece that nobody needs any more. */
  | { readonly kind: 'memory'; readonly memory: ArrayBuffer };
