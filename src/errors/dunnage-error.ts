import { constants } from 'node:os';
import { ERROR_TABLE, type ErrorCode, type ErrorRow } from './table.ts';

/**
 * The one error class of the program. `message` says what is wrong; `remedy`, when there is one, says how to mend it.
 * Neither ever contains file content.
 */
export class DunnageError extends Error {
  override readonly name = 'DunnageError';
  readonly code: ErrorCode;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

const ERRNO = constants.errno as Readonly<Record<string, number>>;

/** Positive errno for the FUSE edge. Anything that is not ours is EIO: a bug must not look like a missing file. */
export function toErrno(error: unknown): number {
  const symbol = error instanceof DunnageError ? error.row.errno : 'EIO';
  return ERRNO[symbol] ?? constants.errno.EIO;
}

export function toHttpStatus(error: unknown): number {
  return error instanceof DunnageError ? error.row.http : ERROR_TABLE.INTERNAL.http;
}

export function toExitCode(error: unknown): number {
  return error instanceof DunnageError ? error.row.exit : ERROR_TABLE.INTERNAL.exit;
}

export function toGrpcStatusName(error: unknown): string {
  return error instanceof DunnageError ? error.row.grpc : ERROR_TABLE.INTERNAL.grpc;
}

const FROM_ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'ALREADY_EXISTS',
  ENOTDIR: 'NOT_A_DIRECTORY',
  EISDIR: 'IS_A_DIRECTORY',
  ENOTEMPTY: 'NOT_EMPTY',
  EBUSY: 'BUSY',
  EROFS: 'READ_ONLY',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  ENAMETOOLONG: 'NAME_TOO_LONG',
  ESTALE: 'STALE',
  EINVAL: 'INVALID_ARGUMENT',
  EINTR: 'INTERRUPTED',
  ETIMEDOUT: 'TIMED_OUT',
  ENOSYS: 'NOT_SUPPORTED',
  ECONNREFUSED: 'UNREACHABLE',
  ENOTCONN: 'UNREACHABLE',
};

/** Wraps an error of Node or the addon (`code` = symbolic errno) with `doing`, e.g. `cannot open /x`. DunnageErrors pass unchanged. */
export function fromSystemError(error: unknown, doing: string): DunnageError {
  if (error instanceof DunnageError) return error;
  const systemCode = (error as { code?: unknown } | null)?.code;
  const code = typeof systemCode === 'string' ? codeOf(systemCode) : 'INTERNAL';
  const reason = error instanceof Error ? error.message : String(error);
  return new DunnageError(code, `${doing}: ${reason}`, { cause: error });
}

/** The symbol comes from outside: what every object has (`constructor`) is no errno. */
function codeOf(symbol: string): ErrorCode {
  return (Object.hasOwn(FROM_ERRNO, symbol) ? FROM_ERRNO[symbol] : undefined) ?? 'IO';
}
