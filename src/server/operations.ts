/** What the control API asks of the daemon: a port of the server, implemented by the composition root. */

import type { ProjectionKind } from '../projection/records.ts';
import type { AllocOperations } from './alloc-operations.ts';
import type { HistoryOperations } from './history-operations.ts';
import type { PoolApplyResult } from './pool-operations.ts';

export type { ProjectionKind };

export interface ProjectionSummary {
  /** Directory under projections/, e.g. `secret.db` or `prod.configmap.web`. */
  readonly directory: string;
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly files: number;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Content is encrypted and its key is gone (reboot): apply the source again. */
  readonly awaitingSource: boolean;
  /** Opens of its files are written down. */
  readonly audited: boolean;
}

export interface ProjectionFileSummary {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** sha256 of the content, hex; undefined for secret content (a plain digest would tell it). */
  readonly sha256: string | undefined;
}

export interface ReactionRunSummary {
  /** Number of the generation that was reacted to. */
  readonly generation: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcomes: readonly { readonly reaction: string; readonly succeeded: boolean; readonly detail: string }[];
}

/** What is done after each swap, without arguments and environment of commands. */
export interface ReactionsSummary {
  readonly reactions: readonly string[];
  /** A run is under way, or due. */
  readonly pending: boolean;
  readonly runs: number;
  /** Runs in which something failed. */
  readonly failures: number;
  readonly last: ReactionRunSummary | undefined;
}

/** One source of a projection, and what became of it. */
export interface SourceSummary {
  /** `configMap web`, `directory /srv/conf`. */
  readonly source: string;
  /** When it was last read successfully, milliseconds since the epoch. */
  readonly seenAtMs?: number;
  /** Why it could not be read the last time; the content stays as it was. */
  readonly error?: string;
}

export interface ProjectionDetail extends ProjectionSummary {
  /** Where its content comes from; absent for a projection without sources. */
  readonly sources?: readonly SourceSummary[];
  /** Why the last refresh from the sources changed nothing. */
  readonly refreshError?: string;
  /** What the sources hold and the projection does not, and why. */
  readonly warnings?: readonly string[];
  readonly paths: readonly ProjectionFileSummary[];
  /** Absent if nothing reacts to its swaps. */
  readonly reactions?: ReactionsSummary;
}

export type ApplyAction = 'created' | 'configured' | 'unchanged';

export interface ApplyResult {
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
  readonly directory: string;
  readonly action: ApplyAction;
  readonly generation: number;
  /** What sources hold and the projection does not, and why. */
  readonly warnings?: readonly string[];
}

/** What `apply` did with an Alloc. */
export interface AllocApplyResult {
  readonly kind: 'Alloc';
  readonly namespace: 'default';
  /** The alloc id. */
  readonly name: string;
  /** Below allocs/. */
  readonly directory: string;
  readonly action: ApplyAction;
  readonly generation?: never;
  /** What is not there yet, and why. */
  readonly warnings?: readonly string[];
}

export type AppliedObject = ApplyResult | AllocApplyResult | PoolApplyResult;

export interface ConnectionStatus {
  readonly name: string;
  readonly mountPoint: string;
  /** Negotiated protocol, e.g. `7.45`. */
  readonly protocol: string;
  readonly features: readonly string[];
  readonly requests: number;
  readonly unanswered: number;
  readonly failedNotifications: number;
}

/** What Secrets are sealed with. Nothing here helps to open them. */
export interface SealingKeyStatus {
  /** Fingerprint, 16 hex digits. */
  readonly id: string;
  readonly path: string;
  /** False for the key of the runtime directory. */
  readonly outlivesReboot: boolean;
  readonly keptOutOfSwap: boolean;
}

export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly holderPid: number | undefined;
  readonly startedAtMs: number;
  readonly takenOver: boolean;
  readonly transport: 'kernel' | 'fuse-native';
  readonly mountPoint: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly projections: number;
  /** Alloc directories, broken ones and those that are being deleted included. */
  readonly allocs: number;
  /** Where they are kept; undefined if this daemon has none. */
  readonly allocDir: string | undefined;
  /** Thin pools, broken ones included; undefined if this daemon can have none. */
  readonly pools?: number;
  readonly connections: readonly ConnectionStatus[];
  readonly storeBytes: number;
  readonly sealingKey: SealingKeyStatus;
  /** Opens of audited projections since the daemon started, and where they are written down. */
  readonly audit: { readonly path: string; readonly opens: number; readonly lost: number };
  /** Sentences about what this host cannot do, each with the remedy. */
  readonly warnings: readonly string[];
}

/** Something that is wrong in the state directory; `docs/fsck.md` lists the codes. */
export interface FsckFinding {
  readonly code: string;
  /** What it is about: a projection and its file, or a file of the state directory. */
  readonly object: string;
  readonly what: string;
  readonly repairable: boolean;
  /** What a repair does or did, or what somebody has to do. */
  readonly action: string;
}

export interface FsckReport {
  readonly stateDir: string;
  /** A daemon serves the tree. */
  readonly online: boolean;
  readonly repair: boolean;
  readonly outcome: 'clean' | 'found' | 'repaired' | 'unrepaired';
  /** Contents of which every byte was compared. */
  readonly verifiedBlobs: number;
  readonly verifiedBytes: number;
  /** Sealed with a key that is not here: only their length was checked. */
  readonly unverifiableBlobs: number;
  readonly repaired: readonly FsckFinding[];
  readonly remaining: readonly FsckFinding[];
}

/** A replaced generation that cannot go yet. */
export interface GcHeld {
  readonly object: string;
  readonly sizeBytes: number;
  /** Who holds it, as a phrase. */
  readonly by: string;
}

/** What was removed; with `dryRun` what would be. */
export interface GcReport {
  readonly dryRun: boolean;
  /** Replaced generations. */
  readonly generations: number;
  /** Contents to which nothing refers. */
  readonly blobs: number;
  /** Files and rows that nothing names. */
  readonly files: number;
  readonly sizeBytes: number;
  readonly held: readonly GcHeld[];
  /** Kept on purpose. */
  readonly history: { readonly generations: number };
}

export interface WriteFile {
  readonly data: Uint8Array;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A file on its way to a Projection. What is not said of mode and owner is as in the file that is replaced (0644 and the daemon otherwise). */
export interface IncomingFile {
  readonly path: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** One of several files that are sent one after another. */
export interface SizedFile extends IncomingFile {
  readonly sizeBytes: number;
}

export interface OutgoingFile {
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface ControlOperations extends HistoryOperations, AllocOperations {
  status(): Promise<DaemonStatus>;
  /** Figures of the daemon in Prometheus' text format. */
  metrics(): Promise<string>;
  /**
   * Applies every document of a YAML stream; a document that is wrong fails the whole call before anything is applied. `onlyNew`: an alloc
   * that exists is ALREADY_EXISTS.
   */
  apply(manifestYaml: string, onlyNew?: boolean): Promise<readonly AppliedObject[]>;
  listProjections(kind: ProjectionKind | undefined): Promise<readonly ProjectionSummary[]>;
  getProjection(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionDetail>;
  deleteProjection(kind: ProjectionKind, namespace: string, name: string): Promise<void>;
  /** Creates or replaces the content of `Projection NAME`. */
  writeProjection(name: string, files: ReadonlyMap<string, WriteFile>): Promise<ApplyResult>;
  /** Checks the state directory and mends what can be mended while the tree is served. Throws BUSY during another run. */
  fsck(repair: boolean): Promise<FsckReport>;
  /** Removes what nothing refers to any more; with `dryRun` only tells. Throws BUSY during another run. */
  gc(dryRun: boolean): Promise<GcReport>;
  /** Adds or replaces one file of `Projection NAME`, which is made if there is none; the other files stay. Content may be of any length. */
  writeFile(name: string, file: IncomingFile): Promise<ApplyResult>;
  /** The same for several files in one swap. */
  writeFiles(name: string, files: AsyncIterable<SizedFile>): Promise<ApplyResult>;
  removeFile(name: string, path: string): Promise<ApplyResult>;
  /** The content that is published now, whatever is published meanwhile. */
  readFile(name: string, path: string): Promise<OutgoingFile>;
  /** Unmounts (`unmount`) or leaves the tree to the holder, then ends the daemon. Resolves when the tree is gone, before the process ends. */
  shutdown(unmount: boolean): Promise<void>;
}
