/** JSON schemas of the routes below /v1/pools. */
import { exactly, type JsonSchema } from './schemas.ts';

const text: JsonSchema = { type: 'string' };
const count: JsonSchema = { type: 'integer' };
const flag: JsonSchema = { type: 'boolean' };
const texts: JsonSchema = { type: 'array', items: text };
const nameSchema: JsonSchema = { type: 'string', minLength: 1, maxLength: 255 };

const flagText: JsonSchema = { type: 'string', enum: ['true', 'false'] };

export const poolParams: JsonSchema = exactly({ name: nameSchema });
export const poolDeviceParams: JsonSchema = exactly({ name: nameSchema, device: nameSchema });
export const poolPutQuery: JsonSchema = exactly({ onlyNew: flagText }, ['onlyNew']);
export const poolDeleteQuery: JsonSchema = exactly({ force: flagText }, ['force']);
/** The manifest's reader judges what is in it: its complaints name the field. */
export const poolBody: JsonSchema = exactly({ spec: { type: 'object' } });
export const poolRepairBody: JsonSchema = exactly({ deleteUnknown: flag }, ['deleteUnknown']);
export const poolDeviceBody: JsonSchema = exactly(
  { sizeBytes: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, snapshotOf: nameSchema },
  ['sizeBytes', 'snapshotOf'],
);

const space: JsonSchema = exactly({ usedBytes: count, totalBytes: count });
export const poolDeviceAnswer: JsonSchema = exactly(
  {
    ...{ name: text, id: count, state: text, sizeBytes: count, ownBytes: count, sharedBytes: count, active: flag },
    ...{ path: text, snapshotOf: text, error: text },
  },
  ['path', 'snapshotOf', 'error'],
);
export const poolDevicesAnswer: JsonSchema = { type: 'array', items: poolDeviceAnswer };

const common: Readonly<Record<string, JsonSchema>> = {
  ...{ name: text, driver: text, state: text, reason: text, place: text, data: space },
  ...{ promisedBytes: count, promisableBytes: count, warnings: texts },
};
export const poolStatusAnswer: JsonSchema = exactly(
  {
    ...common,
    transaction: count,
    metadata: space,
    overcommit: exactly({ allowed: flag, highWaterMark: { type: 'number' } }),
    ...{ writersStopped: flag, isReadOnly: flag, needsCheck: flag, lowWater: flag },
    devices: poolDevicesAnswer,
  },
  ['reason'],
);
export const poolSummariesAnswer: JsonSchema = {
  type: 'array',
  items: exactly({ ...common, createdAtMs: { type: 'number' }, devices: count }, ['reason']),
};
const manifestAnswer: JsonSchema = exactly({
  apiVersion: text,
  kind: text,
  metadata: exactly({ name: text }),
  spec: { type: 'object', additionalProperties: true },
});
export const poolAnswer: JsonSchema = exactly(
  { name: text, state: text, reason: text, createdAtMs: { type: 'number' }, manifest: manifestAnswer },
  ['reason'],
);
export const poolPutAnswer: JsonSchema = exactly(
  { kind: text, namespace: text, name: text, directory: text, action: text, warnings: texts },
  ['warnings'],
);
export const poolDeletionAnswer: JsonSchema = exactly({ name: text, devices: texts, left: text });
const findingsAnswer: JsonSchema = {
  type: 'array',
  items: exactly({ object: text, what: text, repairable: flag, action: text }),
};
export const poolCheckAnswer: JsonSchema = exactly({
  ...{ name: text, driver: text, repair: flag, outcome: text },
  ...{ repaired: findingsAnswer, remaining: findingsAnswer, notes: texts },
});
