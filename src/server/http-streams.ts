/** Uploads and downloads of any length over a unix socket; the counterpart of `http-exchange.ts` for what does not fit into memory. */
import { once } from 'node:events';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { DunnageError } from '../errors/dunnage-error.ts';
import { explain, parseAnswer, readAnswer, silent } from './http-exchange.ts';
import type { OutgoingFile } from './operations.ts';
import { requireShortEnough } from './socket-file.ts';
import { requireWhole } from './tar-stream.ts';

export interface Upload {
  readonly socketPath: string;
  readonly method: 'PUT' | 'PATCH';
  readonly path: string;
  readonly contentType: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Gives up when nothing has moved on the connection for this long. */
  readonly silenceMsMax: number;
}

/** Resolves to the JSON of a 2xx answer. What `chunks` throws is thrown on as it is, and the daemon keeps nothing of the upload then. */
export async function upload(options: Upload): Promise<unknown> {
  const { socketPath, chunks } = options;
  // The connection is kept open after an early answer: if the daemon cut it while we still write, the answer would be lost.
  const agent = new Agent({ keepAlive: true });
  const request = begin(options, agent, { 'content-type': options.contentType });
  const answer = once(request, 'response').then(
    ([response]) => readAnswer(response as IncomingMessage),
    (error: unknown) => Promise.reject(explain(error, socketPath)),
  );
  // A failure is heard where the answer is awaited, perhaps only after the next chunk.
  answer.catch(() => undefined);
  const source = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([source.next(), answer]);
      if ('status' in next) break;
      if (next.done === true) {
        request.end();
        break;
      }
      if (!request.write(next.value)) await Promise.race([once(request, 'drain').catch(() => answer), answer]);
    }
    return parseAnswer(await answer);
  } finally {
    request.destroy();
    agent.destroy();
    // Not awaited: a source that is in the middle of something may take its time.
    source.return?.().then(undefined, () => undefined);
  }
}

export interface Download {
  readonly socketPath: string;
  readonly path: string;
  readonly silenceMsMax: number;
  /** Breaks it off, also while the content is read. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves when the answer begins. The content has to be read to its end, or its iteration left. */
export async function download(options: Download): Promise<OutgoingFile> {
  const request = begin({ ...options, method: 'GET' }, false, { accept: 'application/json' });
  request.end();
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    if (response.statusCode !== 200) {
      parseAnswer(await readAnswer(response));
      throw new DunnageError('INTERNAL', 'the daemon answered with no content');
    }
    return { sizeBytes: Number(response.headers['content-length']), content: contentOf(response, options.socketPath) };
  } catch (error) {
    request.destroy();
    throw error instanceof DunnageError ? error : explain(error, options.socketPath);
  }
}

async function* contentOf(response: IncomingMessage, socketPath: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array;
    requireWhole(response);
  } catch (error) {
    throw error instanceof DunnageError ? error : explain(error, socketPath);
  }
}

function begin(
  { socketPath, method, path, silenceMsMax, signal }: Download & { readonly method: string },
  agent: Agent | false,
  headers: Readonly<Record<string, string>>,
): ClientRequest {
  requireShortEnough(socketPath);
  const options = { socketPath, method, path, headers, agent, timeout: silenceMsMax };
  const request = httpRequest(signal === undefined ? options : { ...options, signal });
  request.once('timeout', () => request.destroy(silent(socketPath, silenceMsMax)));
  // An error after the answer began is the answer's; one before is heard by who waits for the answer.
  request.on('error', () => undefined);
  return request;
}
