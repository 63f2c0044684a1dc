/**
 * What a payload may ask for. Keys are checked as they are given (order and messages of the reference), cleaned, and
 * checked again: the reference checks before cleaning only, so that `./..data` reaches a reserved name there.
 *
 * Beyond the reference: two keys that clean to one path, and a file that is also the parent of another, are errors
 * that name both keys (there the winner is random); names must be valid UTF-8 without NUL, because lengths are bytes.
 */
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { MountFile } from './payload.ts';

/** Permission bits are 0..0o777: setuid, setgid and sticky are not projected. */
export const MODE_MAX = 0o777;
/** (uid_t) -1 means "leave it" to chown(2), so the largest id is one less. */
export const OWNER_ID_MAX = 0xffff_fffe;
const SHOWN_CHARACTERS_MAX = 200;
/** Most keys there are: one component, clean, and within every rule. Nothing more has to be looked at. */
const PLAIN_NAME = new RegExp(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,${limits.nameBytesMax - 1}}$`);
/** What `validatePayload` returned: passed on from caller to caller, it is checked once. */
const valid = new WeakSet<ReadonlyMap<string, unknown>>();

/**
 * Checks one payload key as it was given.
 * @throws DunnageError INVALID_PATH or NAME_TOO_LONG.
 */
export function validatePath(raw: string): void {
  if (raw === '') throw invalidPath('must not be empty: ""');
  if (raw.startsWith('/')) throw invalidPath(`must be relative path: ${shown(raw)}`);
  if (raw.includes('\0')) throw invalidPath(`must not contain NUL: ${shown(raw)}`);
  if (/\p{Surrogate}/u.test(raw)) throw invalidPath(`must be valid Unicode (lone surrogate): ${shown(raw)}`);
  if (Buffer.byteLength(raw) > limits.pathBytesMax) {
    throw new DunnageError(
      'NAME_TOO_LONG',
      `invalid path: must be less than or equal to ${limits.pathBytesMax} characters (bytes of UTF-8): ${shown(raw)}`,
    );
  }
  const components = raw.split('/');
  for (const component of components) {
    if (component === '..') throw invalidPath(`must not contain '..': ${shown(raw)}`);
    if (Buffer.byteLength(component) > limits.nameBytesMax) {
      throw new DunnageError(
        'NAME_TOO_LONG',
        `invalid path: filenames must be less than or equal to ${limits.nameBytesMax} characters (bytes of UTF-8): ${shown(raw)}`,
      );
    }
  }
  if (components[0]?.startsWith('..')) throw invalidPath(`must not start with '..': ${shown(raw)}`);
}

/** Removes empty and `.` components. Never climbs: `..` was refused before. The result of a path like `./` is ''. */
export function cleanPath(raw: string): string {
  return raw
    .split('/')
    .filter((component) => component !== '' && component !== '.')
    .join('/');
}

/** Validates one key before and after cleaning; returns it cleaned. */
export function validateAndCleanPath(raw: string): string {
  if (PLAIN_NAME.test(raw)) return raw;
  validatePath(raw);
  const cleaned = cleanPath(raw);
  if (cleaned === '') throw invalidPath(`must name a file, not the directory itself: ${shown(raw)}`);
  validatePath(cleaned);
  return cleaned;
}

/**
 * Checks every key and file and returns the payload with cleaned keys, in the order given. Content is not copied:
 * the caller leaves it alone until the write is over.
 * @throws DunnageError INVALID_PATH, NAME_TOO_LONG, INVALID_ARGUMENT (mode, owner, data), TOO_LARGE (number of files).
 */
export function validatePayload<File extends MountFile>(
  payload: ReadonlyMap<string, File> | Readonly<Record<string, File>>,
): ReadonlyMap<string, File> {
  if (isMap(payload) && valid.has(payload)) return payload;
  const entries = isMap(payload) ? [...payload] : Object.entries(payload);
  if (entries.length > limits.payloadFilesMax) {
    throw new DunnageError(
      'TOO_LARGE',
      `a payload has at most ${limits.payloadFilesMax} files, not ${entries.length}`,
      {
        remedy: 'split it into several projections',
      },
    );
  }
  const checked = new Map<string, File>();
  const rawOf = new Map<string, string>();
  for (const [raw, file] of entries) {
    const cleaned = validateAndCleanPath(raw);
    const other = rawOf.get(cleaned);
    if (other !== undefined) {
      throw invalidPath(
        `"${shown(other)}" and "${shown(raw)}" are the same file "${shown(cleaned)}"`,
        'keep one of them',
      );
    }
    rawOf.set(cleaned, raw);
    checked.set(cleaned, checkedFile(raw, file));
  }
  refuseFilesAsParents(rawOf);
  valid.add(checked);
  return checked;
}

/** First components of the paths: the names that are links at the top of the target. */
export function topLevelNames(paths: Iterable<string>): Set<string> {
  const names = new Set<string>();
  for (const path of paths) {
    const end = path.indexOf('/');
    names.add(end === -1 ? path : path.slice(0, end));
  }
  return names;
}

/** Every directory that the paths need, without the top. */
export function parentDirectories(paths: Iterable<string>): Set<string> {
  const directories = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const directory = path.slice(0, end);
      // Its own parents are there already: whoever added it added them.
      if (directories.has(directory)) break;
      directories.add(directory);
    }
  }
  return directories;
}

/** Files and directories that existed for `oldPaths` and have no place among `newPaths` (cleaned paths). */
export function pathsToRemove(oldPaths: Iterable<string>, newPaths: Iterable<string>): Set<string> {
  const before = [...oldPaths];
  const after = [...newPaths];
  const wanted = new Set([...after, ...parentDirectories(after)]);
  return new Set([...before, ...parentDirectories(before)].filter((path) => !wanted.has(path)));
}

/** A path for a message: control characters and lone surrogates escaped, cut if it is very long. */
export function shown(path: string): string {
  const cut = path.length > SHOWN_CHARACTERS_MAX ? `${path.slice(0, SHOWN_CHARACTERS_MAX)}...` : path;
  return cut.replace(/[\p{Cc}\p{Cs}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function checkedFile<File extends MountFile>(raw: string, file: File): File {
  const name = (): string => shown(raw);
  if (typeof file !== 'object' || !('stored' in file || file.data instanceof Uint8Array)) {
    throw new DunnageError('INVALID_ARGUMENT', `file "${name()}": data must be a Uint8Array`, {
      remedy: 'encode text with Buffer.from(text)',
    });
  }
  if (!isIntegerUpTo(file.mode, MODE_MAX)) {
    throw new DunnageError('INVALID_ARGUMENT', `file "${name()}": mode must be between 0 and 0777 octal (511)`, {
      remedy: 'give permission bits only; in JSON they are decimal (0644 is 420)',
    });
  }
  for (const field of ['uid', 'gid'] as const) {
    const id = file[field];
    if (id !== undefined && !isIntegerUpTo(id, OWNER_ID_MAX)) {
      throw new DunnageError(
        'INVALID_ARGUMENT',
        `file "${name()}": ${field} must be an integer from 0 to ${OWNER_ID_MAX}`,
      );
    }
  }
  const { mode, uid, gid } = file;
  const content = 'stored' in file ? { stored: file.stored, mode } : { data: file.data, mode };
  if (uid === undefined && gid === undefined) return content as File;
  const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  return { ...content, ...owner } as File;
}

/** With `/` sorted before every other character a path is followed at once by what lies below it. */
function refuseFilesAsParents(rawOf: ReadonlyMap<string, string>): void {
  if (![...rawOf.keys()].some((path) => path.includes('/'))) return;
  const sorted = [...rawOf.keys()].map((path) => path.replaceAll('/', '\0')).sort(byCodeUnits);
  for (let index = 1; index < sorted.length; index += 1) {
    const [before = '', path = ''] = [sorted[index - 1], sorted[index]];
    if (!path.startsWith(`${before}\0`)) continue;
    const [file, below] = [before, path].map((key) => rawOf.get(key.replaceAll('\0', '/')) ?? '');
    throw invalidPath(
      `"${shown(file ?? '')}" is a file and "${shown(below ?? '')}" needs it to be a directory`,
      'rename one of them',
    );
  }
}

function byCodeUnits(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function isIntegerUpTo(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isMap<File>(
  payload: ReadonlyMap<string, File> | Readonly<Record<string, File>>,
): payload is ReadonlyMap<string, File> {
  return payload instanceof Map;
}

function invalidPath(reason: string, remedy?: string): DunnageError {
  return new DunnageError('INVALID_PATH', `invalid path: ${reason}`, remedy === undefined ? {} : { remedy });
}
