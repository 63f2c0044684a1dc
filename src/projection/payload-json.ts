/**
 * The JSON of `projection write`: `{"files": {"<path>": {"mode": 420, "data": "<base64>", "uid": 0, "gid": 0}}}`.
 * Unknown keys are refused; mode (decimal) is 0644 if absent. Messages name the place in the document, never content.
 */
import { Ajv, type ErrorObject } from 'ajv';
import { DunnageError } from '../errors/dunnage-error.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { MODE_MAX, OWNER_ID_MAX, shown, validatePath, validatePayload } from './path-rules.ts';
import type { FileProjection, Payload } from './payload.ts';
import { DEFAULT_FILE_MODE } from './project-keys.ts';

export interface PayloadJson {
  readonly files: Readonly<Record<string, FileJson>>;
}

export interface FileJson {
  /** Standard base64 with padding. */
  readonly data: string;
  /** Permission bits as a number: 0644 octal is 420. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const OWNER_SCHEMA = { type: 'integer', minimum: 0, maximum: OWNER_ID_MAX } as const;

/** JSON schema (draft 7) of the document; the control API puts it on its route. */
export const PAYLOAD_JSON_SCHEMA: Readonly<Record<string, unknown>> = {
  type: 'object',
  required: ['files'],
  additionalProperties: false,
  properties: {
    files: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['data'],
        additionalProperties: false,
        properties: {
          data: { type: 'string' },
          mode: { type: 'integer', minimum: 0, maximum: MODE_MAX },
          uid: OWNER_SCHEMA,
          gid: OWNER_SCHEMA,
        },
      },
    },
  },
};

const matchesSchema = new Ajv({ strict: true, allErrors: false }).compile<PayloadJson>(PAYLOAD_JSON_SCHEMA);

/**
 * Reads the text of a payload document.
 * @throws DunnageError INVALID_ARGUMENT, INVALID_PATH, NAME_TOO_LONG, TOO_LARGE.
 */
export function parsePayloadJson(text: string): Payload {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 quotes a piece of the text in its message, and the text may be a secret: only the position goes out.
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const where = position === undefined ? '' : ` at character ${position}`;
    throw new DunnageError('INVALID_ARGUMENT', `the payload is not valid JSON${where}`, {
      remedy: 'see `dunnage projection write --help`',
    });
  }
  return payloadFromJson(value);
}

/** Reads a payload document that is parsed already. Same errors as `parsePayloadJson`. */
export function payloadFromJson(value: unknown): Payload {
  if (!matchesSchema(value)) throw schemaError(matchesSchema.errors?.[0]);
  const files = new Map<string, FileProjection>();
  for (const [path, file] of Object.entries(value.files)) {
    const data = decodeBase64(file.data);
    if (data === undefined) {
      throw new DunnageError('INVALID_ARGUMENT', `${place(['files', path, 'data'])} must be base64`, {
        remedy: 'use the standard alphabet with padding and no line breaks (base64 -w0)',
      });
    }
    checkPath(path);
    files.set(path, {
      data,
      mode: file.mode ?? DEFAULT_FILE_MODE,
      ...(file.uid === undefined ? {} : { uid: file.uid }),
      ...(file.gid === undefined ? {} : { gid: file.gid }),
    });
  }
  return validatePayload(files);
}

/** The reverse: what `parsePayloadJson` reads back to the same payload. */
export function payloadToJson(payload: Payload): PayloadJson {
  const files = [...payload].map(([path, file]): [string, FileJson] => [
    path,
    {
      mode: file.mode,
      data: encodeBase64(file.data),
      ...(file.uid === undefined ? {} : { uid: file.uid }),
      ...(file.gid === undefined ? {} : { gid: file.gid }),
    },
  ]);
  return { files: Object.fromEntries(files) };
}

function checkPath(path: string): void {
  try {
    validatePath(path);
  } catch (error) {
    if (!(error instanceof DunnageError)) throw error;
    throw new DunnageError(error.code, `${place(['files', path])}: ${error.message}`, { cause: error });
  }
}

function schemaError(error: ErrorObject | undefined): DunnageError {
  const steps = (error?.instancePath ?? '')
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const unknownKey = error?.keyword === 'additionalProperties' ? String(error.params['additionalProperty']) : undefined;
  const reason =
    unknownKey === undefined ? (error?.message ?? 'is wrong') : `must not have the key "${shown(unknownKey)}"`;
  return new DunnageError('INVALID_ARGUMENT', `${place(steps)} ${reason}`, {
    remedy: 'see `dunnage projection write --help`',
  });
}

/** `files["a/b"].mode`; the document itself is `payload`. */
function place(steps: readonly string[]): string {
  const [first, path, ...rest] = steps;
  if (first === undefined) return 'payload';
  const file = path === undefined ? '' : `["${shown(path)}"]`;
  return [`${first}${file}`, ...rest.map(shown)].join('.');
}
