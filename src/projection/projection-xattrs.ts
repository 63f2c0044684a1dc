/**
 * Extended attributes by which a consumer sees what it reads and how old that is, without asking the daemon's API:
 *
 *   projections/<name>            user.dunnage.generation     number of the live generation
 *                                 user.dunnage.source-seen    when its source was last read (RFC 3339, UTC)
 *   live/<name> and all below     both as well
 *   a generation's directory      user.dunnage.generation     its own number
 *
 * `getfattr` works through a bind mount as well. Nothing else has any. The kernel does not cache
 * them: each question is a request, and nobody asks on the way of a read.
 */
import type { GenerationRecord, ProjectionRecord } from './records.ts';

export const GENERATION_ATTRIBUTE = 'user.dunnage.generation';
export const SOURCE_SEEN_ATTRIBUTE = 'user.dunnage.source-seen';

export type ExtendedAttributes = ReadonlyMap<string, Uint8Array>;

export const NO_ATTRIBUTES: ExtendedAttributes = new Map();

/** `sourcesSeenAtMs`: when its sources were read; undefined if it has none, and its content was given by its last write. */
export function projectionXattrs(record: ProjectionRecord, sourcesSeenAtMs: number | undefined): ExtendedAttributes {
  const { number } = record;
  const sourceSeenAtMs = sourcesSeenAtMs ?? record.sourceSeenAtMs;
  if (number === 0) return NO_ATTRIBUTES;
  const attributes = new Map([[GENERATION_ATTRIBUTE, Buffer.from(String(number))]]);
  // Not known of a record that had to be made anew.
  if (sourceSeenAtMs > 0) attributes.set(SOURCE_SEEN_ATTRIBUTE, Buffer.from(new Date(sourceSeenAtMs).toISOString()));
  return attributes;
}

/** None before it is published: it has no number yet. */
export function generationXattrs({ number }: GenerationRecord): ExtendedAttributes {
  return number === 0 ? NO_ATTRIBUTES : new Map([[GENERATION_ATTRIBUTE, Buffer.from(String(number))]]);
}
