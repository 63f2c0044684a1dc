/**
 * Which keys of a ConfigMap or Secret become which files (the reference's MakePayload): all of them under their own
 * names, or only the listed ones at the listed paths.
 */
import { DunnageError } from '../errors/dunnage-error.ts';
import { shown, validateAndCleanPath, validatePayload } from './path-rules.ts';
import type { FileProjection, Payload } from './payload.ts';

/** Mode of projected files unless something else is asked for. */
export const DEFAULT_FILE_MODE = 0o644;

export interface KeyToPath {
  readonly key: string;
  readonly path: string;
  /** Permission bits; undefined: the default mode. */
  readonly mode?: number | undefined;
}

export interface KeyProjection {
  readonly kind: 'ConfigMap' | 'Secret';
  /** Content by key; undefined if the object does not exist. */
  readonly data: ReadonlyMap<string, Uint8Array> | undefined;
  /** Absent or empty: every key. */
  readonly items?: readonly KeyToPath[] | undefined;
  /** Permission bits; the caller fills in its default, undefined is an error as in the reference. */
  readonly defaultMode: number | undefined;
  /** A missing object is an empty payload and a missing key is left out, instead of an error. */
  readonly optional?: boolean | undefined;
}

/**
 * The payload of one source.
 * @throws DunnageError NOT_FOUND (object or key absent and not optional), INVALID_ARGUMENT, and what `validatePayload` throws.
 */
export function makePayload(projection: KeyProjection): Payload {
  const { kind, data, items = [], defaultMode, optional = false } = projection;
  if (defaultMode === undefined) {
    throw new DunnageError('INVALID_ARGUMENT', 'No defaultMode used, not even the default value for it', {
      remedy: 'pass defaultMode, e.g. 0o644',
    });
  }
  if (data === undefined) {
    if (optional) return new Map();
    throw new DunnageError('NOT_FOUND', `the ${kind} does not exist`, {
      remedy: 'create it, or mark the source optional',
    });
  }
  const files = new Map<string, FileProjection>();
  if (items.length === 0) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode: defaultMode });
    return validatePayload(files);
  }
  const keyAt = new Map<string, string>();
  for (const item of items) {
    const bytes = data.get(item.key);
    if (bytes === undefined) {
      if (optional) continue;
      throw missingKey(kind, item.key);
    }
    const path = validateAndCleanPath(item.path);
    const other = keyAt.get(path);
    if (other !== undefined) {
      throw new DunnageError(
        'INVALID_PATH',
        `conflicting duplicate paths: keys "${shown(other)}" and "${shown(item.key)}" both go to "${shown(path)}"`,
      );
    }
    keyAt.set(path, item.key);
    files.set(path, { data: bytes, mode: item.mode ?? defaultMode });
  }
  return validatePayload(files);
}

function missingKey(kind: 'ConfigMap' | 'Secret', key: string): DunnageError {
  const noun = kind === 'ConfigMap' ? 'config' : 'secret';
  return new DunnageError('NOT_FOUND', `references non-existent ${noun} key: ${shown(key)}`, {
    remedy: `add the key to the ${kind}, correct the item, or mark the source optional`,
  });
}
