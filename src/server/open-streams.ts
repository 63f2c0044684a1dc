/**
 * Answers that go on for as long as somebody listens. Each has a signal that aborts when its client is gone or the server closes; there
 * is a bound on how many there are. What the client does not take is not asked for.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

export class OpenStreams {
  readonly #open = new Set<AbortController>();

  constructor(app: FastifyInstance) {
    app.addHook('preClose', async () => {
      for (const controller of this.#open) controller.abort();
    });
  }

  /** A signal for an answer that is about to begin. @throws DunnageError BUSY if there are too many. */
  begin(response: ServerResponse): AbortSignal {
    if (this.#open.size >= limits.fileStreamsMax) {
      throw new DunnageError('BUSY', `${limits.fileStreamsMax} files are being followed already`, {
        remedy: 'end one of them, then try again',
      });
    }
    const controller = new AbortController();
    this.#open.add(controller);
    response.once('close', () => {
      this.#open.delete(controller);
      controller.abort();
    });
    return controller.signal;
  }
}

/**
 * Sends 200 and the headers at once, and then what comes. What fails after that can only be told by cutting the connection: the client
 * sees an answer without its end.
 */
export async function sendStream(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  content: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  reply.hijack();
  reply.raw.writeHead(200, headers);
  reply.raw.flushHeaders();
  try {
    await pipeline(Readable.from(content, { objectMode: false }), reply.raw);
  } catch {
    reply.raw.destroy();
  }
}
