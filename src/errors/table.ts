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

const TABLE = {
  INVALID_ARGUMENT: { errno: 'EINVAL', grpc: 'INVALID_ARGUMENT', http: 400, exit: 2 },
  INVALID_PATH: { errno: 'EINVAL', grpc: 'INVALID_ARGUMENT', http: 400, exit: 2 },
  INVALID_MANIFEST: { errno: 'EINVAL', grpc: 'INVALID_ARGUMENT', http: 400, exit: 2 },
  NAME_TOO_LONG: { errno: 'ENAMETOOLONG', grpc: 'INVALID_ARGUMENT', http: 400, exit: 2 },
  TOO_LARGE: { errno: 'EFBIG', grpc: 'RESOURCE_EXHAUSTED', http: 413, exit: 2 },
  NOT_FOUND: { errno: 'ENOENT', grpc: 'NOT_FOUND', http: 404, exit: 4 },
  ALREADY_EXISTS: { errno: 'EEXIST', grpc: 'ALREADY_EXISTS', http: 409, exit: 5 },
  NOT_A_DIRECTORY: { errno: 'ENOTDIR', grpc: 'FAILED_PRECONDITION', http: 409, exit: 5 },
  IS_A_DIRECTORY: { errno: 'EISDIR', grpc: 'FAILED_PRECONDITION', http: 409, exit: 5 },
  NOT_EMPTY: { errno: 'ENOTEMPTY', grpc: 'FAILED_PRECONDITION', http: 409, exit: 5 },
  IMMUTABLE: { errno: 'EPERM', grpc: 'FAILED_PRECONDITION', http: 409, exit: 5 },
  BUSY: { errno: 'EBUSY', grpc: 'FAILED_PRECONDITION', http: 409, exit: 5 },
  READ_ONLY: { errno: 'EROFS', grpc: 'FAILED_PRECONDITION', http: 403, exit: 6 },
  PERMISSION_DENIED: { errno: 'EACCES', grpc: 'PERMISSION_DENIED', http: 403, exit: 6 },
  NO_DATA: { errno: 'ENODATA', grpc: 'NOT_FOUND', http: 404, exit: 4 },
  OUT_OF_RANGE: { errno: 'ERANGE', grpc: 'OUT_OF_RANGE', http: 400, exit: 2 },
  NO_SPACE: { errno: 'ENOSPC', grpc: 'RESOURCE_EXHAUSTED', http: 507, exit: 7 },
  STALE: { errno: 'ESTALE', grpc: 'NOT_FOUND', http: 410, exit: 4 },
  AWAITING_SOURCE: { errno: 'EIO', grpc: 'UNAVAILABLE', http: 503, exit: 8 },
  CORRUPT: { errno: 'EIO', grpc: 'DATA_LOSS', http: 500, exit: 9 },
  IO: { errno: 'EIO', grpc: 'INTERNAL', http: 500, exit: 9 },
  INTERRUPTED: { errno: 'EINTR', grpc: 'CANCELLED', http: 503, exit: 8 },
  TIMED_OUT: { errno: 'ETIMEDOUT', grpc: 'DEADLINE_EXCEEDED', http: 504, exit: 8 },
  NOT_SUPPORTED: { errno: 'ENOSYS', grpc: 'UNIMPLEMENTED', http: 501, exit: 10 },
  MISSING_DEPENDENCY: { errno: 'ENOSYS', grpc: 'FAILED_PRECONDITION', http: 501, exit: 10 },
  ALREADY_RUNNING: { errno: 'EBUSY', grpc: 'ALREADY_EXISTS', http: 409, exit: 5 },
  UNREACHABLE: { errno: 'ENOTCONN', grpc: 'UNAVAILABLE', http: 503, exit: 3 },
  INTERNAL: { errno: 'EIO', grpc: 'INTERNAL', http: 500, exit: 1 },
} as const;

export type ErrorCode = keyof typeof TABLE;

export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = TABLE;
