/** What LMDB throws, in the words of the error table. */
import { constants } from 'node:os';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

const FATAL = /MDB_(CORRUPTED|PAGE_NOTFOUND|INVALID|VERSION_MISMATCH|CURSOR_FULL|PROBLEM)/;

/** Wraps an error of LMDB with `doing`. DunnageErrors and assertions pass unchanged. */
export function fromLmdbError(error: unknown, doing: string): unknown {
  if (error instanceof DunnageError || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'number') return error;
  const message = `${doing}: ${error.message}`;
  if (code === constants.errno.ENOSPC || code === constants.errno.EDQUOT || /MDB_MAP_FULL/.test(error.message)) {
    const remedy = 'Free space on the file system of the state directory.';
    return new DunnageError('NO_SPACE', message, { remedy, cause: error });
  }
  if (FATAL.test(error.message)) {
    const remedy =
      'Stop the daemon and restore <state-dir>/metadata from a backup, or move it away and apply everything again.';
    return new DunnageError('CORRUPT', message, { remedy, cause: error });
  }
  const symbol = Object.entries(constants.errno).find(([, value]) => value === code)?.[0];
  if (symbol === undefined) return new DunnageError('IO', message, { cause: error });
  return fromSystemError(Object.assign(new Error(error.message), { code: symbol }), doing);
}
