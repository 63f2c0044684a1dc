/** Errors in the shape of those of `node:fs` and the addon, for system calls that are imitated. */
import { constants } from 'node:os';

export interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

export function systemError(code: string, syscall: string, path: string, reason: string): SystemError {
  const errno = (constants.errno as Readonly<Record<string, number>>)[code] ?? constants.errno.EIO;
  return Object.assign(new Error(`${code}: ${reason}, ${syscall} '${path}'`), { code, errno, syscall });
}

/** Symbolic errno of an error of `node:fs`. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
