/**
 * A tar of an alloc on the control wire. That it could not be finished is known only at its end, when the status was sent long
 * ago: it is said in a trailer, which is empty if all is well.
 */
import type { IncomingMessage } from 'node:http';
import { fromErrorBody, toErrorBody, toPublicError } from './error-body.ts';

export const TAR_TYPE = 'application/x-tar';
export const ERROR_TRAILER = 'x-dunnage-error';

const FAILED = 500;

export function toErrorTrailer(error: unknown): string {
  return error === undefined ? '' : encodeURIComponent(JSON.stringify(toErrorBody(toPublicError(error))));
}

/** After the last byte of the answer. @throws DunnageError the one of the daemon, if there is one */
export function requireWhole({ trailers }: Pick<IncomingMessage, 'trailers'>): void {
  const text = trailers[ERROR_TRAILER];
  if (text === undefined || text === '') return;
  throw fromErrorBody(JSON.parse(decodeURIComponent(text)) as unknown, FAILED);
}
