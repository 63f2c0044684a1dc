/** One request and its answer over a unix socket; errors of either side become `DunnageError`s. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { formatBytes } from '../base/units.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { fromErrorBody } from './error-body.ts';
import { requireShortEnough } from './socket-file.ts';

export interface Exchange {
  readonly socketPath: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: { readonly contentType: string; readonly text: string; readonly bytesMax: number };
  /** Gives up when nothing has moved on the connection for this long. */
  readonly silenceMsMax: number;
}

/** Resolves to the text of a 2xx answer. */
export async function exchangeText(options: Exchange): Promise<string> {
  const { status, text } = await send(options);
  if (status < 200 || status >= 300) throw fromErrorBody(parsed(text), status);
  return text;
}

/** Resolves to the parsed JSON body of a 2xx answer; undefined if it has none. */
export async function exchange(options: Exchange): Promise<unknown> {
  return parseAnswer(await send(options));
}

/** The JSON of a 2xx answer; throws the error of any other. */
export function parseAnswer({ status, text }: Answer): unknown {
  if (status >= 200 && status < 300 && text === '') return undefined;
  const body = parsed(text);
  if (status >= 200 && status < 300 && body !== undefined) return body;
  throw fromErrorBody(body, status);
}

/** Undefined if it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

async function send(options: Exchange): Promise<Answer> {
  const { socketPath, method, path, body, silenceMsMax } = options;
  requireShortEnough(socketPath);
  const headers: Record<string, string | number> = { connection: 'close', accept: 'application/json' };
  let data: Buffer | undefined;
  if (body !== undefined) {
    data = Buffer.from(body.text);
    if (data.byteLength > body.bytesMax) throw tooLarge(data.byteLength, body.bytesMax);
    headers['content-type'] = body.contentType;
    headers['content-length'] = data.byteLength;
  }
  return new Promise((resolve, reject) => {
    let answered = false;
    const request = httpRequest(
      { socketPath, method, path, headers, agent: false, timeout: silenceMsMax },
      (response) => {
        answered = true;
        readAnswer(response).then(resolve, (error: unknown) => reject(explain(error, socketPath)));
      },
    );
    request.once('timeout', () => request.destroy(silent(socketPath, silenceMsMax)));
    // A server that refuses a large body answers before it has read it, and the rest of our writing then fails: the answer counts.
    request.once('error', (error) => {
      if (!answered) reject(explain(error, socketPath));
    });
    request.end(data);
  });
}

/** Said here, because a server that refuses a body it has not read may cut the connection before its answer is seen. */
function tooLarge(sizeBytes: number, bytesMax: number): DunnageError {
  return new DunnageError(
    'TOO_LARGE',
    `the content is ${formatBytes(sizeBytes)} long; one request takes at most ${formatBytes(bytesMax)}`,
    {
      remedy: 'split it into several objects',
    },
  );
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}

export function silent(socketPath: string, silenceMsMax: number): DunnageError {
  return new DunnageError(
    'TIMED_OUT',
    `the daemon at ${socketPath} did not answer within ${silenceMsMax / 1000} seconds`,
    {
      remedy: 'look into its log, or end it with: dunnage down',
    },
  );
}

export function explain(error: unknown, socketPath: string): DunnageError {
  const code = (error as { code?: unknown } | null)?.code;
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new DunnageError('UNREACHABLE', `no daemon answers at ${socketPath}`, {
        remedy: 'start it with: dunnage up --detach (or name its socket with --socket)',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new DunnageError('PERMISSION_DENIED', `no permission to use the control socket ${socketPath}`, {
        remedy: 'run the command as the user who runs the daemon (often root: use sudo)',
        cause: error,
      });
    case 'ECONNRESET':
    case 'EPIPE':
      return new DunnageError('UNREACHABLE', `the daemon at ${socketPath} ended the connection before it answered`, {
        remedy: 'see whether it still runs with: dunnage status',
        cause: error,
      });
    default:
      return fromSystemError(error, `cannot talk to the daemon at ${socketPath}`);
  }
}
