/**
 * GET /v1/client/fs/OP/ALLOC: the files of an alloc, with the paths, parameters, answers and errors of the reference. Statuses are those of
 * what happened: nothing is sent before it is clear that there is something to send.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AllocFiles } from '../../alloc/files/alloc-files.ts';
import type { FileInfo } from '../../alloc/files/file-info.ts';
import type { FollowEvent, FollowOptions } from '../../alloc/files/follow-event.ts';
import { plainBytes, streamFrames } from '../../alloc/files/stream-frames.ts';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { flagOf, logTypeOf, pathOf, positionOf, type Query, rangeOf, taskOf } from '../alloc-file-queries.ts';
import { fileApiParams, fileApiQuery, fileInfoAnswer } from '../alloc-file-schemas.ts';
import type { AllocFilesPort, FoundAlloc } from '../alloc-files-port.ts';
import { stackWithoutMessage } from '../error-body.ts';
import { FileApiError, fileApiErrorBody, toFileApiError } from '../file-api-error.ts';
import { OpenStreams, sendStream } from '../open-streams.ts';
import { encodeFrame, fileInfoJson } from '../stream-frame-json.ts';

const PREFIX = '/v1/client/fs';
const JSON_TYPE = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' };
/** Content is of tenants: a browser must not take it for a page. */
const RAW_TYPE = {
  'content-type': 'text/plain',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
};

interface Asked {
  readonly allocId: string;
  readonly query: Query;
  readonly reply: FastifyReply;
}

type Operation = (asked: Asked) => Promise<unknown>;

export async function addAllocFileRoutes(app: FastifyInstance, port: AllocFilesPort, log: Log): Promise<void> {
  const api = new FileApi(port, new OpenStreams(app));
  const operations: Readonly<Record<string, Operation>> = {
    ls: (asked) => api.list(asked),
    stat: (asked) => api.stat(asked),
    cat: (asked) => api.cat(asked),
    readat: (asked) => api.readAt(asked),
    stream: (asked) => api.stream(asked),
    logs: (asked) => api.logs(asked),
  };
  await app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendFileApiError(error, request, reply, log));
    for (const [name, operation] of Object.entries(operations)) {
      const schema = {
        params: fileApiParams,
        querystring: fileApiQuery,
        ...(name === 'stat' ? { response: { 200: fileInfoAnswer } } : {}),
      };
      const answer = (
        request: FastifyRequest<{ Params: { '*'?: string }; Querystring: Query }>,
        reply: FastifyReply,
      ): Promise<unknown> => operation({ allocId: allocIdOf(request.params['*']), query: request.query, reply });
      scope.get(`${PREFIX}/${name}`, { schema }, answer);
      scope.get(`${PREFIX}/${name}/*`, { schema }, answer);
    }
  });
}

class FileApi {
  readonly #port: AllocFilesPort;
  readonly #streams: OpenStreams;

  constructor(port: AllocFilesPort, streams: OpenStreams) {
    this.#port = port;
    this.#streams = streams;
  }

  async list({ allocId, query, reply }: Asked): Promise<void> {
    const listing = filesOf(this.#find(allocId), allocId).listing(query['path'] || '/');
    const first = await begun(listing);
    await sendStream(reply, JSON_TYPE, jsonArray(first, listing));
  }

  async stat({ allocId, query, reply }: Asked): Promise<unknown> {
    const path = pathOf(query);
    const info = await filesOf(this.#find(allocId), allocId).stat(path);
    reply.headers(JSON_TYPE);
    return fileInfoJson(info);
  }

  async cat({ allocId, query, reply }: Asked): Promise<void> {
    const path = pathOf(query);
    const content = await filesOf(this.#find(allocId), allocId).readAt(path, 0);
    await sendStream(reply, RAW_TYPE, content);
  }

  async readAt({ allocId, query, reply }: Asked): Promise<void> {
    const path = pathOf(query);
    const { offset, limitBytes } = rangeOf(query);
    const content = await filesOf(this.#find(allocId), allocId).readAt(path, offset, limitBytes);
    await sendStream(reply, RAW_TYPE, content);
  }

  async stream(asked: Asked): Promise<void> {
    const { allocId, query } = asked;
    const path = pathOf(query);
    const follow = flagOf(query, 'follow', true);
    const position = positionOf(query);
    const files = filesOf(this.#find(allocId), allocId);
    try {
      await this.#send(asked, { ...position, follow }, (options) => files.follow(path, options));
    } catch (error) {
      throw toFileApiError(error, true);
    }
  }

  async logs(asked: Asked): Promise<void> {
    const { allocId, query } = asked;
    const task = taskOf(query);
    const follow = flagOf(query, 'follow', false);
    const type = logTypeOf(query);
    const position = positionOf(query);
    const found = this.#find(allocId);
    const files = filesOf(found, allocId);
    if (!files.tasks().includes(task)) {
      throw new FileApiError(400, new DunnageError('INVALID_ARGUMENT', `unknown task name "${task}"`));
    }
    if (!found.isStarted(task)) {
      throw new DunnageError('NOT_FOUND', `task "${task}" not started yet. No logs available`);
    }
    await this.#send(asked, { ...position, follow }, (options) => files.logs({ ...options, task, type }));
  }

  async #send(
    { query, reply }: Asked,
    options: Omit<FollowOptions, 'signal'>,
    open: (options: FollowOptions) => AsyncGenerator<FollowEvent>,
  ): Promise<void> {
    const isPlain = flagOf(query, 'plain', false);
    const resume = query['resume'] ?? '';
    const hasTokens = flagOf(query, 'tokens', false) || resume !== '';
    const signal = this.#streams.begin(reply.raw);
    const events = open({ ...options, ...(resume === '' ? {} : { resume }), signal });
    await begun(events);
    if (isPlain) await sendStream(reply, { ...RAW_TYPE }, plainBytes(events));
    else await sendStream(reply, JSON_TYPE, encoded(events, hasTokens));
  }

  #find(allocId: string): FoundAlloc {
    const found = this.#port.find(allocId);
    if (found !== undefined) return found;
    throw new DunnageError('NOT_FOUND', `alloc lookup failed: Unknown allocation "${allocId}"`, {
      remedy: 'see which there are with: dunnage alloc list',
    });
  }
}

function allocIdOf(text: string | undefined): string {
  if (text !== undefined && text !== '') return text;
  throw new FileApiError(400, new DunnageError('INVALID_ARGUMENT', 'must provide a valid alloc id'));
}

function filesOf({ files }: FoundAlloc, allocId: string): AllocFiles {
  if (files !== undefined) return files;
  throw new DunnageError('NOT_FOUND', `state for allocation ${allocId} not found on client`);
}

/** The first piece, and with it the certainty that there is something to send. */
async function begun<T>(source: AsyncGenerator<T>): Promise<T | undefined> {
  const { value, done } = await source.next();
  return done === true ? undefined : value;
}

async function* jsonArray(
  first: readonly FileInfo[] | undefined,
  rest: AsyncIterable<readonly FileInfo[]>,
): AsyncGenerator<string> {
  let before = '[';
  const textOf = (infos: readonly FileInfo[]): string => {
    const text = infos.map((info) => JSON.stringify(fileInfoJson(info))).join(',');
    const piece = text === '' ? '' : `${before}${text}`;
    if (text !== '') before = ',';
    return piece;
  };
  yield textOf(first ?? []);
  for await (const infos of rest) yield textOf(infos);
  yield before === '[' ? '[]' : ']';
}

async function* encoded(events: AsyncIterable<FollowEvent>, hasTokens: boolean): AsyncGenerator<string> {
  for await (const frame of streamFrames(events)) yield encodeFrame(frame, hasTokens);
}

function sendFileApiError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const shown = toFileApiError(error);
  if (shown.status === 500 && !(error instanceof FileApiError)) {
    log.error(
      {
        method: request.method,
        route: request.routeOptions.url,
        code: shown.shown.code,
        stack: stackWithoutMessage(error),
      },
      'control request failed',
    );
  }
  const { contentType, text } = fileApiErrorBody(shown, request.headers.accept);
  reply.code(shown.status).header('content-type', contentType).header('x-content-type-options', 'nosniff').send(text);
}
