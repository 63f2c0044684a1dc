/** POST /v1/shutdown: answers when the tree is gone (or left to the holder), before the process ends. */
import type { FastifyInstance } from 'fastify';
import { takeBodies } from '../bodies.ts';
import type { ControlOperations } from '../operations.ts';
import { errorAnswer, noAnswer, shutdownBody } from '../schemas.ts';

const BODY_BYTES_MAX = 4096;

export async function addShutdownRoute(app: FastifyInstance, operations: ControlOperations): Promise<void> {
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.post<{ Body: { unmount: boolean } }>(
      '/v1/shutdown',
      { bodyLimit: BODY_BYTES_MAX, schema: { body: shutdownBody, response: { 204: noAnswer, default: errorAnswer } } },
      async (request, reply) => {
        await operations.shutdown(request.body.unmount);
        return reply.code(204).send();
      },
    );
  });
}
