/**
 * The control API as a fastify application: routes, errors, request log. It does not listen; `control-server.ts` gives
 * it a socket.
 */
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError, toHttpStatus } from '../errors/dunnage-error.ts';
import type { AllocFilesPort } from './alloc-files-port.ts';
import { stackWithoutMessage, toErrorBody, toPublicError } from './error-body.ts';
import type { ControlOperations } from './operations.ts';
import type { PoolOperations } from './pool-operations.ts';
import { addAllocFileRoutes } from './routes/alloc-files.ts';
import { addAllocRoutes } from './routes/allocs.ts';
import { addApplyRoute } from './routes/apply.ts';
import { addFileRoutes } from './routes/files.ts';
import { addHistoryRoutes } from './routes/history.ts';
import { addMaintenanceRoutes } from './routes/maintenance.ts';
import { addMetricsRoute } from './routes/metrics.ts';
import { addPoolRoutes } from './routes/pools.ts';
import { addProjectionRoutes } from './routes/projections.ts';
import { addShutdownRoute } from './routes/shutdown.ts';
import { addStatusRoutes } from './routes/status.ts';

/** Longest request line and headers, bytes. */
const HEADER_BYTES_MAX = 16 * 1024;

export interface ControlAppOptions {
  readonly operations: ControlOperations;
  /** Whose files the file API shows; without it there is no alloc. */
  readonly allocFiles?: AllocFilesPort | undefined;
  /** Undefined where the daemon has no thin pools. */
  readonly pools?: PoolOperations | undefined;
  readonly log: Log;
  /** A request must have arrived whole within this time; of a streamed body something must arrive within it, again and again. */
  readonly requestTimeoutMs: number;
}

export async function buildControlApp(options: ControlAppOptions): Promise<FastifyInstance> {
  const { log, operations, requestTimeoutMs } = options;
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: true,
    // A percent-encoded name takes up to three bytes for one; what the routes take is for their schemas to say.
    routerOptions: { maxParamLength: 3 * limits.objectNameMax },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.max(10, Math.floor(requestTimeoutMs / 4)),
      maxHeaderSize: HEADER_BYTES_MAX,
    },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply, log),
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket, log),
  });
  limitArrival(app, requestTimeoutMs, log);
  app.server.maxConnections = limits.controlConnectionsMax;
  app.removeAllContentTypeParsers();
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const error = new DunnageError(
      'NOT_FOUND',
      `the control API has no ${request.method} ${pathOf(request).slice(0, 200)}`,
    );
    sendError(error, request, reply, log);
  });
  app.addHook('onResponse', async (request, reply) => {
    log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? '(none)',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      },
      'control request',
    );
  });
  addStatusRoutes(app, operations);
  addMetricsRoute(app, operations);
  await addApplyRoute(app, operations);
  await addProjectionRoutes(app, operations);
  await addHistoryRoutes(app, operations);
  await addMaintenanceRoutes(app, operations);
  await addFileRoutes(app, operations, requestTimeoutMs);
  await addAllocFileRoutes(app, options.allocFiles ?? { find: () => undefined }, log);
  await addAllocRoutes(app, operations, requestTimeoutMs);
  await addPoolRoutes(app, () => options.pools);
  await addShutdownRoute(app, operations);
  return app;
}

/** Node has one limit for whole requests, which would cut every long upload; this one ends where the route begins to read for itself. */
function limitArrival(app: FastifyInstance, requestTimeoutMs: number, log: Log): void {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  app.addHook('onRequest', async ({ raw }) => {
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    timers.set(raw, setTimeout(() => refuseUnreadable(late, raw.socket, log), requestTimeoutMs).unref());
  });
  const arrived = async ({ raw }: FastifyRequest): Promise<void> => clearTimeout(timers.get(raw));
  app.addHook('preValidation', arrived);
  app.addHook('onResponse', arrived);
}

type AnyReply = Pick<FastifyReply, 'code' | 'header'>;

function sendError(
  error: unknown,
  request: Pick<FastifyRequest, 'method' | 'routeOptions'>,
  reply: AnyReply,
  log: Log,
): void {
  const shown = toPublicError(error);
  if (toHttpStatus(shown) === 500) {
    const route = request.routeOptions.url ?? '(none)';
    log.error(
      { method: request.method, route, code: shown.code, stack: stackWithoutMessage(error) },
      'control request failed',
    );
  }
  // Sent as text: the route's schema is for its answers, and must not get between an error and its caller.
  reply
    .code(toHttpStatus(shown))
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(toErrorBody(shown)));
}

/** What is not even HTTP, or came too slowly: answered in HTTP as far as that goes, then cut. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket, log: Log): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  log.warn({ code: error.code ?? 'unknown' }, 'unreadable control request');
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const shown = late
    ? new DunnageError('TIMED_OUT', 'the request did not arrive in time')
    : new DunnageError('INVALID_ARGUMENT', 'the request is not readable as HTTP');
  const body = JSON.stringify(toErrorBody(shown));
  const reason = late ? '504 Gateway Timeout' : '400 Bad Request';
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${reason}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}
