/**
 * JSON schemas of the control API: what a request may hold and what an answer does hold. An answer's schema is also
 * its filter: a field that is not named here never leaves the daemon.
 */
import { limits } from '../base/limits.ts';
import type { ProjectionKind } from './operations.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

export const PROJECTION_KINDS: readonly ProjectionKind[] = ['Projection', 'ConfigMap', 'Secret'];

const text: JsonSchema = { type: 'string' };
const count: JsonSchema = { type: 'integer' };
const flag: JsonSchema = { type: 'boolean' };

/** An object with exactly these fields; those in `optional` may be missing. */
export function exactly(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', additionalProperties: false, required, properties };
}

const kindSchema: JsonSchema = { type: 'string', enum: PROJECTION_KINDS };
const nameSchema: JsonSchema = { type: 'string', minLength: 1, maxLength: limits.objectNameMax };

export const kindQuery: JsonSchema = exactly({ kind: kindSchema }, ['kind']);
export const nameParams: JsonSchema = exactly({ name: nameSchema });
export const objectParams: JsonSchema = exactly({ kind: kindSchema, namespace: nameSchema, name: nameSchema });
export const fileParams: JsonSchema = exactly({ name: nameSchema, '*': { type: 'string', minLength: 1 } });
const ownerText: JsonSchema = { type: 'string', pattern: '^[0-9]{1,10}$' };
/** Mode in octal. */
export const fileAttributesQuery: JsonSchema = exactly(
  { mode: { type: 'string', pattern: '^0?[0-7]{1,3}$' }, uid: ownerText, gid: ownerText },
  ['mode', 'uid', 'gid'],
);
export const shutdownBody: JsonSchema = exactly({ unmount: flag });
/** A body the route reads itself: the parser hands it over as text. */
export const textBody: JsonSchema = { type: 'string' };

export const errorAnswer: JsonSchema = exactly({
  error: exactly({ code: text, message: text, remedy: text }, ['remedy']),
});
export const healthAnswer: JsonSchema = exactly({ status: text });
/** Prometheus' text format. */
export const metricsAnswer: JsonSchema = text;
export const noAnswer: JsonSchema = { type: 'null' };

const summaryFields: Readonly<Record<string, JsonSchema>> = {
  directory: text,
  kind: text,
  namespace: text,
  name: text,
  generation: count,
  files: count,
  sizeBytes: count,
  createdAtMs: { type: 'number' },
  updatedAtMs: { type: 'number' },
  awaitingSource: flag,
  audited: flag,
};
const fileFields: Readonly<Record<string, JsonSchema>> = {
  path: text,
  mode: count,
  uid: count,
  gid: count,
  sizeBytes: count,
  sha256: text,
};
export const summariesAnswer: JsonSchema = { type: 'array', items: exactly(summaryFields) };
const reactionRunAnswer: JsonSchema = exactly({
  generation: count,
  startedAtMs: { type: 'number' },
  durationMs: { type: 'number' },
  outcomes: { type: 'array', items: exactly({ reaction: text, succeeded: flag, detail: text }) },
});
const reactionsAnswer: JsonSchema = exactly(
  {
    reactions: { type: 'array', items: text },
    pending: flag,
    runs: count,
    failures: count,
    last: reactionRunAnswer,
  },
  ['last'],
);
const texts: JsonSchema = { type: 'array', items: text };
const sourceFields = { source: text, seenAtMs: { type: 'number' }, error: text };
export const detailAnswer: JsonSchema = exactly(
  {
    ...summaryFields,
    paths: { type: 'array', items: exactly(fileFields, ['sha256']) },
    reactions: reactionsAnswer,
    sources: { type: 'array', items: exactly(sourceFields, ['seenAtMs', 'error']) },
    refreshError: text,
    warnings: texts,
  },
  ['reactions', 'sources', 'refreshError', 'warnings'],
);

export const applyAnswer: JsonSchema = exactly(
  {
    kind: text,
    namespace: text,
    name: text,
    directory: text,
    action: text,
    generation: count,
    warnings: texts,
  },
  ['warnings'],
);
const appliedAnswer: JsonSchema = exactly(
  { kind: text, namespace: text, name: text, directory: text, action: text, generation: count, warnings: texts },
  ['generation', 'warnings'],
);
export const appliesAnswer: JsonSchema = { type: 'array', items: appliedAnswer };
export const applyQuery: JsonSchema = {
  type: 'object',
  properties: { onlyNew: { type: 'string', enum: ['true', 'false'] } },
};

const connectionAnswer: JsonSchema = exactly({
  name: text,
  mountPoint: text,
  protocol: text,
  features: { type: 'array', items: text },
  requests: count,
  unanswered: count,
  failedNotifications: count,
});
export const statusAnswer: JsonSchema = exactly(
  {
    version: text,
    pid: count,
    holderPid: count,
    startedAtMs: { type: 'number' },
    takenOver: flag,
    transport: text,
    mountPoint: text,
    stateDir: text,
    runtimeDir: text,
    projections: count,
    allocs: count,
    allocDir: text,
    pools: count,
    connections: { type: 'array', items: connectionAnswer },
    storeBytes: count,
    sealingKey: exactly({ id: text, path: text, outlivesReboot: flag, keptOutOfSwap: flag }),
    audit: exactly({ path: text, opens: count, lost: count }),
    warnings: { type: 'array', items: text },
  },
  ['holderPid', 'allocDir', 'pools'],
);

export const fsckBody: JsonSchema = exactly({ repair: flag });
export const gcBody: JsonSchema = exactly({ dryRun: flag });
const findingAnswer: JsonSchema = exactly({ code: text, object: text, what: text, repairable: flag, action: text });
export const fsckAnswer: JsonSchema = exactly({
  stateDir: text,
  online: flag,
  repair: flag,
  outcome: text,
  verifiedBlobs: count,
  verifiedBytes: count,
  unverifiableBlobs: count,
  repaired: { type: 'array', items: findingAnswer },
  remaining: { type: 'array', items: findingAnswer },
});
export const gcAnswer: JsonSchema = exactly({
  dryRun: flag,
  generations: count,
  blobs: count,
  files: count,
  sizeBytes: count,
  held: { type: 'array', items: exactly({ object: text, sizeBytes: count, by: text }) },
  history: exactly({ generations: count }),
});
