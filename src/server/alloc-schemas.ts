/** JSON schemas of the routes below /v1/allocs. */
import { exactly, type JsonSchema } from './schemas.ts';

const text: JsonSchema = { type: 'string' };
const count: JsonSchema = { type: 'integer' };
const flag: JsonSchema = { type: 'boolean' };
const texts: JsonSchema = { type: 'array', items: text };
const idSchema: JsonSchema = { type: 'string', minLength: 1, maxLength: 255 };

export const allocParams: JsonSchema = exactly({ id: idSchema });
export const moveBody: JsonSchema = exactly({ from: idSchema });

const common: Readonly<Record<string, JsonSchema>> = {
  id: text,
  state: text,
  createdAtMs: { type: 'number' },
  notes: texts,
};
export const allocSummariesAnswer: JsonSchema = { type: 'array', items: exactly({ ...common, tasks: count }) };
const presentedAnswer: JsonSchema = exactly({ name: text, path: text, presented: flag, reason: text }, ['reason']);
const taskAnswer: JsonSchema = exactly(
  {
    ...{ name: text, path: text, isolation: text, user: text, secretsSizeBytes: count },
    projections: { type: 'array', items: presentedAnswer },
  },
  ['user'],
);
export const allocAnswer: JsonSchema = exactly({ ...common, path: text, tasks: { type: 'array', items: taskAnswer } });
export const deletionAnswer: JsonSchema = exactly({ id: text, deleted: flag, awaiting: texts });
export const moveAnswer: JsonSchema = exactly({ from: text, to: text, tasks: texts });
export const restoreAnswer: JsonSchema = exactly({ id: text, replaced: texts, entries: count, sizeBytes: count });
