/** /v1/allocs: list, look at, delete, move, and the tar of an alloc both ways. They are made by POST /v1/apply. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import {
  allocAnswer,
  allocParams,
  allocSummariesAnswer,
  deletionAnswer,
  moveAnswer,
  moveBody,
  restoreAnswer,
} from '../alloc-schemas.ts';
import { takeBodies, takeStreams } from '../bodies.ts';
import { incomingBody } from '../incoming-body.ts';
import type { ControlOperations } from '../operations.ts';
import { errorAnswer } from '../schemas.ts';
import { ERROR_TRAILER, TAR_TYPE, toErrorTrailer } from '../tar-stream.ts';

interface AllocParams {
  readonly id: string;
}

const BODY_BYTES_MAX = 4096;

export async function addAllocRoutes(
  app: FastifyInstance,
  operations: ControlOperations,
  silenceMsMax: number,
): Promise<void> {
  const answered = (schema: object): object => ({ 200: schema, default: errorAnswer });
  app.get('/v1/allocs', { schema: { response: answered(allocSummariesAnswer) } }, () => operations.listAllocs());
  app.get<{ Params: AllocParams }>(
    '/v1/allocs/:id',
    { schema: { params: allocParams, response: answered(allocAnswer) } },
    ({ params }) => operations.getAlloc(params.id),
  );
  app.delete<{ Params: AllocParams }>(
    '/v1/allocs/:id',
    { schema: { params: allocParams, response: answered(deletionAnswer) } },
    ({ params }) => operations.deleteAlloc(params.id),
  );
  app.get<{ Params: AllocParams }>(
    '/v1/allocs/:id/snapshot',
    { schema: { params: allocParams, response: { default: errorAnswer } } },
    async ({ params }, reply) => {
      const tar = await operations.snapshotAlloc(params.id);
      let failure: unknown;
      async function* whole(): AsyncGenerator<Uint8Array> {
        try {
          yield* tar;
        } catch (error) {
          failure = error;
        }
      }
      reply.trailer(ERROR_TRAILER, async () => toErrorTrailer(failure));
      return reply.header('content-type', TAR_TYPE).send(Readable.from(whole(), { objectMode: false }));
    },
  );
  await app.register(async (scope) => {
    takeStreams(scope, TAR_TYPE);
    scope.put<{ Params: AllocParams }>(
      '/v1/allocs/:id/snapshot',
      { schema: { params: allocParams, response: answered(restoreAnswer) } },
      ({ params, raw }) => operations.restoreAlloc(params.id, incomingBody(raw, silenceMsMax)),
    );
  });
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.post<{ Params: AllocParams; Body: { from: string } }>(
      '/v1/allocs/:id/move',
      { bodyLimit: BODY_BYTES_MAX, schema: { params: allocParams, body: moveBody, response: answered(moveAnswer) } },
      ({ params, body }) => operations.moveAlloc(body.from, params.id),
    );
  });
}
