/**
 * The one table of everything that can go wrong for a caller. Each code maps to exactly one errno (FUSE edge), gRPC
 * status, HTTP status (control API) and exit code (command line). `docs/errors.md` lists the same codes; a test holds
 * the two together.
 */
export interface ErrorRow {
  /** Symbolic errno the FUSE edge answers with. */
  readonly errno: string;
  /** gRPC status name. */
  readonly grpc: string;
  readonly http: number;
  /** Exit code of the command line. */
  readonly exit: number;
}

const row = (errno: string, grpc: string, http: number, exit: number): ErrorRow => ({ errno, grpc, http, exit });

const TABLE = {
  INVALID_ARGUMENT: row('EINVAL', 'INVALID_ARGUMENT', 400, 2),
  INVALID_PATH: row('EINVAL', 'INVALID_ARGUMENT', 400, 2),
  INVALID_MANIFEST: row('EINVAL', 'INVALID_ARGUMENT', 400, 2),
  NAME_TOO_LONG: row('ENAMETOOLONG', 'INVALID_ARGUMENT', 400, 2),
  TOO_LARGE: row('EFBIG', 'RESOURCE_EXHAUSTED', 413, 2),
  NOT_FOUND: row('ENOENT', 'NOT_FOUND', 404, 4),
  ALREADY_EXISTS: row('EEXIST', 'ALREADY_EXISTS', 409, 5),
  NOT_A_DIRECTORY: row('ENOTDIR', 'FAILED_PRECONDITION', 409, 5),
  IS_A_DIRECTORY: row('EISDIR', 'FAILED_PRECONDITION', 409, 5),
  NOT_EMPTY: row('ENOTEMPTY', 'FAILED_PRECONDITION', 409, 5),
  IMMUTABLE: row('EPERM', 'FAILED_PRECONDITION', 409, 5),
  BUSY: row('EBUSY', 'FAILED_PRECONDITION', 409, 5),
  READ_ONLY: row('EROFS', 'FAILED_PRECONDITION', 403, 6),
  PERMISSION_DENIED: row('EACCES', 'PERMISSION_DENIED', 403, 6),
  NO_DATA: row('ENODATA', 'NOT_FOUND', 404, 4),
  OUT_OF_RANGE: row('ERANGE', 'OUT_OF_RANGE', 400, 2),
  NO_SPACE: row('ENOSPC', 'RESOURCE_EXHAUSTED', 507, 7),
  STALE: row('ESTALE', 'NOT_FOUND', 410, 4),
  AWAITING_SOURCE: row('EIO', 'UNAVAILABLE', 503, 8),
  CORRUPT: row('EIO', 'DATA_LOSS', 500, 9),
  IO: row('EIO', 'INTERNAL', 500, 9),
  INTERRUPTED: row('EINTR', 'CANCELLED', 503, 8),
  TIMED_OUT: row('ETIMEDOUT', 'DEADLINE_EXCEEDED', 504, 8),
  NOT_SUPPORTED: row('ENOSYS', 'UNIMPLEMENTED', 501, 10),
  MISSING_DEPENDENCY: row('ENOSYS', 'FAILED_PRECONDITION', 501, 10),
  ALREADY_RUNNING: row('EBUSY', 'ALREADY_EXISTS', 409, 5),
  UNREACHABLE: row('ENOTCONN', 'UNAVAILABLE', 503, 3),
  INTERNAL: row('EIO', 'INTERNAL', 500, 1),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof TABLE;

export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = TABLE;
