/**
 * Errors of the file API. Their HTTP status is the reference's, which is not in every case that of the code; their body is the message
 * as plain text, or our usual JSON for clients that accept it.
 */
import { type DunnageError, toHttpStatus } from '../errors/dunnage-error.ts';
import { toErrorBody, toPublicError } from './error-body.ts';

export class FileApiError extends Error {
  readonly status: number;
  readonly shown: DunnageError;

  constructor(status: number, shown: DunnageError) {
    super(shown.message);
    this.status = status;
    this.shown = shown;
  }
}

/** What failed on the file of a request. `isStream`: there a file that cannot be looked at is a bad request. */
export function toFileApiError(error: unknown, isStream = false): FileApiError {
  if (error instanceof FileApiError) return error;
  const shown = toPublicError(error);
  const isOtherKind = shown.code === 'IS_A_DIRECTORY' || shown.code === 'NOT_A_DIRECTORY';
  const isBadRequest = isOtherKind || (isStream && shown.code === 'NOT_FOUND');
  return new FileApiError(isBadRequest ? 400 : toHttpStatus(shown), shown);
}

/** `accept`: header of the request. */
export function fileApiErrorBody(
  error: FileApiError,
  accept: string | undefined,
): { readonly contentType: string; readonly text: string } {
  return accept?.includes('application/json') === true
    ? { contentType: 'application/json; charset=utf-8', text: JSON.stringify(toErrorBody(error.shown)) }
    : { contentType: 'text/plain; charset=utf-8', text: error.shown.message };
}
