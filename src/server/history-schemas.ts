/** JSON schemas of the routes in `routes/history.ts`. */
import { exactly, type JsonSchema } from './schemas.ts';

const text: JsonSchema = { type: 'string' };
const count: JsonSchema = { type: 'integer' };
const flag: JsonSchema = { type: 'boolean' };
const texts: JsonSchema = { type: 'array', items: text };
const counts: JsonSchema = { type: 'array', items: count };

/** Generations count from 1; far below 2^53, so that it is exact as a number. */
const GENERATION_MAX = 999_999_999_999_999;
/** Numbers in a query arrive as text. */
const numberText: JsonSchema = { type: 'string', pattern: '^[1-9][0-9]{0,14}$' };

export const rangeQuery: JsonSchema = exactly({ from: numberText, to: numberText }, ['from', 'to']);
export const purgeQuery: JsonSchema = exactly({ keep: numberText }, ['keep']);
export const rollbackBody: JsonSchema = exactly({ to: { type: 'integer', minimum: 1, maximum: GENERATION_MAX } }, [
  'to',
]);

const identity: Readonly<Record<string, JsonSchema>> = { kind: text, namespace: text, name: text, directory: text };

const generationAnswer: JsonSchema = exactly(
  {
    generation: count,
    live: flag,
    directory: text,
    createdAtMs: { type: 'number' },
    files: count,
    sizeBytes: count,
    changes: exactly({ added: count, removed: count, modified: count }),
    rollbackOf: count,
  },
  ['changes', 'rollbackOf'],
);
export const historyAnswer: JsonSchema = exactly({
  ...identity,
  limit: count,
  generations: { type: 'array', items: generationAnswer },
});

const sideAnswer: JsonSchema = exactly({ mode: count, uid: count, gid: count, sizeBytes: count, sha256: text }, [
  'sha256',
]);
const hunkAnswer: JsonSchema = exactly({
  oldStart: count,
  oldLines: count,
  newStart: count,
  newLines: count,
  lines: texts,
});
const differenceAnswer: JsonSchema = exactly(
  {
    path: text,
    change: text,
    before: sideAnswer,
    after: sideAnswer,
    content: text,
    shown: text,
    hunks: { type: 'array', items: hunkAnswer },
  },
  ['before', 'after'],
);
export const diffAnswer: JsonSchema = exactly({
  ...identity,
  from: count,
  to: count,
  files: { type: 'array', items: differenceAnswer },
});

export const rollbackAnswer: JsonSchema = exactly({
  ...identity,
  action: text,
  to: count,
  generation: count,
  warnings: texts,
});
export const purgeAnswer: JsonSchema = exactly({ ...identity, dropped: counts, kept: counts });
