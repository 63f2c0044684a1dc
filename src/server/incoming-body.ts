/**
 * A body that is read as it arrives, by a handler that may give up in the middle: the connection stays good for the answer then.
 */
import type { IncomingMessage } from 'node:http';
import { DunnageError } from '../errors/dunnage-error.ts';

/**
 * The chunks of a body. The connection is cut, and the body ends with INTERRUPTED, if nothing arrives for `silenceMsMax`; that
 * no longer holds when the body has been read: what follows may take its time.
 */
export async function* incomingBody(request: IncomingMessage, silenceMsMax: number): AsyncGenerator<Uint8Array> {
  request.setTimeout(silenceMsMax);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
    // A connection that ends in the middle of a body does not fail the iteration in every case.
    if (!request.complete) throw brokenOff();
  } catch (error) {
    throw error instanceof DunnageError ? error : brokenOff(error);
  }
  request.setTimeout(0);
}

function brokenOff(cause?: unknown): DunnageError {
  return new DunnageError('INTERRUPTED', 'the upload was broken off before its end', { cause });
}
