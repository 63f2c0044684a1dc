/**
 * A generation that is written but not published, as plain data: the main thread makes it, the thread that serves the mount
 * takes its names and, in the rename of the swap, puts it into the store.
 *
 * What a swap waits for is one commit, so a generation of ordinary size is not in the store before that. A large one is
 * stored ahead by the main thread (`isStored`), because nothing that takes long is done on the thread that serves.
 */
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import type { PreparedBlob } from '../store/blob-store.ts';
import { toDigest } from '../store/digest.ts';
import type { GenerationRecord } from './records.ts';

export interface NewLink {
  readonly name: string;
  readonly node: NodeId;
}

export interface StagedGeneration {
  readonly id: GenerationId;
  readonly projection: ProjectionId;
  readonly audited: boolean;
  /** `..<timestamp>.<random>`: nobody can guess it. */
  readonly directory: string;
  /** Node ids taken, from `id` on. */
  readonly nodes: number;
  /** Its content nodes, encoded (`contentNodesCodec`). */
  readonly content: Uint8Array;
  /** Directories at its top. */
  readonly directories: number;
  readonly files: number;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  /** Number of the generation that this one brings back. */
  readonly rollbackOf?: number;
  /** Content that the published generation does not have at the same path; empty if it is stored. */
  readonly blobs: readonly PreparedBlob[];
  /** False if the top-level names are exactly those that are visible now, so that publication changes none. */
  readonly changesNames: boolean;
  /** A node for each top-level name, for those that have none; empty if no name changes. */
  readonly links: readonly NewLink[];
  readonly isStored: boolean;
  /** Place of the record of its publication that is begun ahead (`Store.reserveRecord`). */
  readonly ahead?: number;
}

/** Generations with more files, or more inline content, are stored ahead. */
export const STAGED_FILES_MAX = 128;
export const STAGED_BYTES_MAX: number = 256 * 1024;

/** Its record in the store; `number` 0: not published yet. */
export function recordOf(staged: StagedGeneration, number: number): GenerationRecord {
  const { projection, directory, createdAtMs, nodes, directories, files, sizeBytes, rollbackOf, audited } = staged;
  const from = rollbackOf === undefined ? {} : { rollbackOf };
  const served = audited ? { audited } : {};
  return { projection, directory, number, ...from, createdAtMs, nodes, directories, files, sizeBytes, ...served };
}

/** After its way through a MessagePort, which knows no Buffers. */
export function received(staged: StagedGeneration): StagedGeneration {
  return { ...staged, blobs: staged.blobs.map((blob) => ({ ...blob, digest: toDigest(blob.digest) })) };
}

/** The main thread's way to the thread that serves the mount. */
export interface Stager {
  /** Its names are accepted when this resolves. */
  stage(generation: StagedGeneration): Promise<void>;
  /** It shall not be published any more, and its names may be removed. False if it was published before. */
  abort(id: GenerationId): Promise<boolean>;
  /** The names of an aborted generation are gone. */
  finishAbort(id: GenerationId): void;
}
