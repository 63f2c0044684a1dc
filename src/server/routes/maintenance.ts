/** POST /v1/fsck and POST /v1/gc. Both answer when they are done, which may take long. */
import type { FastifyInstance } from 'fastify';
import { takeBodies } from '../bodies.ts';
import type { ControlOperations } from '../operations.ts';
import { errorAnswer, fsckAnswer, fsckBody, gcAnswer, gcBody } from '../schemas.ts';

const BODY_BYTES_MAX = 4096;

export async function addMaintenanceRoutes(app: FastifyInstance, operations: ControlOperations): Promise<void> {
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.post<{ Body: { repair: boolean } }>(
      '/v1/fsck',
      { bodyLimit: BODY_BYTES_MAX, schema: { body: fsckBody, response: { 200: fsckAnswer, default: errorAnswer } } },
      (request) => operations.fsck(request.body.repair),
    );
    scope.post<{ Body: { dryRun: boolean } }>(
      '/v1/gc',
      { bodyLimit: BODY_BYTES_MAX, schema: { body: gcBody, response: { 200: gcAnswer, default: errorAnswer } } },
      (request) => operations.gc(request.body.dryRun),
    );
  });
}
