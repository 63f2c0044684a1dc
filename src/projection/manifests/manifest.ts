/** One object of a manifest, ready to be projected. */
import type { Payload } from '../payload.ts';
import type { Reaction } from '../reactions/reaction.ts';
import type { ProjectionKind } from '../records.ts';
import type { SourcedSpec } from '../sources/source-spec.ts';

export interface Manifest {
  readonly kind: ProjectionKind;
  /** `default` where the manifest gives none, and for Projections, which have no namespaces. */
  readonly namespace: string;
  readonly name: string;
  /** Name under `projections/`. */
  readonly directory: string;
  /** Content that the manifest itself holds. */
  readonly payload: Payload;
  /** Where a Projection's content comes from, its own files included; undefined if it names no sources. */
  readonly sourced?: SourcedSpec;
  /** The content must be encrypted at rest and never be shown. */
  readonly secret: boolean;
  /** Once applied the content may not change; only delete and create again. */
  readonly immutable: boolean;
  /** What is done after each swap; undefined for kinds that cannot say. */
  readonly onSwap?: readonly Reaction[];
  /** Generations to keep, with the live one; undefined if the manifest does not say. */
  readonly historyLimit: number | undefined;
  /** Opens of its files are to be logged. */
  readonly audited: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Without `kubectl.kubernetes.io/last-applied-configuration`, which repeats the content. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Which document of the stream, from 1. */
  readonly document: number;
}
