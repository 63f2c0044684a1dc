/** The part of the control API that looks at and goes back to earlier generations of an object. */
import type { FileDifference } from '../projection/history/file-differences.ts';
import type { GenerationSummary } from '../projection/history/generation-summary.ts';
import type { ProjectionKind } from '../projection/records.ts';

export type { FileDifference, GenerationSummary };

/** Which object an answer is about. */
export interface ObjectIdentity {
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
  /** Below `projections/`. */
  readonly directory: string;
}

export interface ProjectionHistory extends ObjectIdentity {
  /** How many generations are kept, with the live one. */
  readonly limit: number;
  /** Newest first. */
  readonly generations: readonly GenerationSummary[];
}

export interface GenerationRange {
  /** Undefined: the one before `to`. */
  readonly from: number | undefined;
  /** Undefined: the live one. */
  readonly to: number | undefined;
}

export interface GenerationDiff extends ObjectIdentity {
  readonly from: number;
  readonly to: number;
  /** In the order of their paths; empty if the generations are equal. */
  readonly files: readonly FileDifference[];
}

export interface RollbackResult extends ObjectIdentity {
  /** `unchanged`: the live content is that of the wanted generation already. */
  readonly action: 'rolled-back' | 'unchanged';
  /** Whose content is live now. */
  readonly to: number;
  /** The live generation. */
  readonly generation: number;
  /** Sentences about what will undo it. */
  readonly warnings: readonly string[];
}

export interface PurgeResult extends ObjectIdentity {
  /** Numbers of the generations that are gone, newest first. */
  readonly dropped: readonly number[];
  /** Numbers of those that are left, newest first. */
  readonly kept: readonly number[];
}

export interface HistoryOperations {
  /** Throws NOT_FOUND. */
  projectionHistory(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionHistory>;
  /** Throws NOT_FOUND if the object or one of the generations is not there. */
  diffProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    range: GenerationRange,
  ): Promise<GenerationDiff>;
  /** Makes a new generation with the content of `to` (undefined: the one before the live one). Throws NOT_FOUND, IMMUTABLE. */
  rollbackProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    to: number | undefined,
  ): Promise<RollbackResult>;
  /** Drops all generations but the newest `keep`, of which the live one is the first. */
  purgeHistory(kind: ProjectionKind, namespace: string, name: string, keep: number): Promise<PurgeResult>;
}
