/** POST /v1/apply: a YAML stream of manifests. */
import type { FastifyInstance } from 'fastify';
import { limits } from '../../base/limits.ts';
import { takeBodies } from '../bodies.ts';
import type { ControlOperations } from '../operations.ts';
import { appliesAnswer, applyQuery, errorAnswer, textBody } from '../schemas.ts';

export async function addApplyRoute(app: FastifyInstance, operations: ControlOperations): Promise<void> {
  await app.register(async (scope) => {
    takeBodies(scope, 'yaml');
    scope.post<{ Body: string; Querystring: { onlyNew?: 'true' | 'false' } }>(
      '/v1/apply',
      {
        bodyLimit: limits.manifestBytesMax,
        schema: { body: textBody, querystring: applyQuery, response: { 200: appliesAnswer, default: errorAnswer } },
      },
      (request) => operations.apply(request.body, request.query.onlyNew === 'true'),
    );
  });
}
