/**
 * What the catalog keeps. Records are small and read on the thread that serves FUSE; the nodes of a generation are kept
 * apart from its record.
 */
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';

export type ProjectionKind = 'Projection' | 'ConfigMap' | 'Secret';

/**
 * Life of a projection. `creating` and `deleting` are the trying states: a start that finds one undoes the first (there is
 * no published content) or finishes it (there is), and finishes the second.
 */
export type ProjectionState = 'creating' | 'live' | 'deleting';

export const PROJECTION_TRANSITIONS: Readonly<Record<ProjectionState, readonly ProjectionState[]>> = {
  creating: ['live', 'deleting'],
  live: ['deleting'],
  deleting: [],
};

export interface ProjectionRecord {
  /** Name of its directory under projections/. */
  readonly directory: string;
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
  readonly immutable: boolean;
  /** A Projection that has held content of a Secret: it is protected like one, also when it holds none any more. */
  readonly secret?: boolean;
  readonly state: ProjectionState;
  /** The published generation; 0 before the first. */
  readonly generation: GenerationId | 0;
  /** Counts published generations from 1. */
  readonly number: number;
  /** Published generations that are kept whole, newest first; the first is the published one. */
  readonly history: readonly GenerationId[];
  /** How many of them are kept, with the published one. */
  readonly keep: number;
  /** Opens of its files are logged: it is served by the audited connection. Absent means no. */
  readonly audited?: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** When its source was last read, whether it said something new or not; 0 before that. */
  readonly sourceSeenAtMs: number;
}

/** Whether content is sealed in the store and never shown. */
export function isSecret(record: Pick<ProjectionRecord, 'kind' | 'secret'>): boolean {
  return record.kind === 'Secret' || record.secret === true;
}

export interface GenerationRecord {
  readonly projection: ProjectionId;
  /** `..<timestamp>.<random>`. */
  readonly directory: string;
  /** Which publication of its projection made it, from 1; 0 before it is published. */
  readonly number: number;
  /** The number of the generation whose content a rollback took; absent if the content came from the source. */
  readonly rollbackOf?: number;
  readonly createdAtMs: number;
  /** Node ids taken, from the generation's id on. */
  readonly nodes: number;
  /** Directories directly in it. */
  readonly directories: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** As of its projection, which may be gone. */
  readonly audited?: boolean;
}

/** A generation that was stored ahead of its publication. */
export interface StagedRecord {
  readonly projection: ProjectionId;
}

/** A top-level link `<name>` -> `..data/<name>`. Not visible: it waits for its symlink(2) through the mount. */
export interface LinkRecord {
  readonly node: NodeId;
  readonly visible: boolean;
}
