/** /v1/projections: list, look at, delete, and write the content of a `Projection`. */
import type { FastifyInstance } from 'fastify';
import { limits } from '../../base/limits.ts';
import { parsePayloadJson } from '../../projection/payload-json.ts';
import { takeBodies } from '../bodies.ts';
import type { ControlOperations, ProjectionKind } from '../operations.ts';
import {
  applyAnswer,
  detailAnswer,
  errorAnswer,
  kindQuery,
  nameParams,
  noAnswer,
  objectParams,
  summariesAnswer,
  textBody,
} from '../schemas.ts';

interface ObjectParams {
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
}

export async function addProjectionRoutes(app: FastifyInstance, operations: ControlOperations): Promise<void> {
  app.get<{ Querystring: { kind?: ProjectionKind } }>(
    '/v1/projections',
    { schema: { querystring: kindQuery, response: { 200: summariesAnswer, default: errorAnswer } } },
    (request) => operations.listProjections(request.query.kind),
  );
  app.get<{ Params: ObjectParams }>(
    '/v1/projections/:kind/:namespace/:name',
    { schema: { params: objectParams, response: { 200: detailAnswer, default: errorAnswer } } },
    ({ params }) => operations.getProjection(params.kind, params.namespace, params.name),
  );
  app.delete<{ Params: ObjectParams }>(
    '/v1/projections/:kind/:namespace/:name',
    { schema: { params: objectParams, response: { 204: noAnswer, default: errorAnswer } } },
    async ({ params }, reply) => {
      await operations.deleteProjection(params.kind, params.namespace, params.name);
      return reply.code(204).send();
    },
  );
  await app.register(async (scope) => addWriteRoute(scope, operations));
}

function addWriteRoute(scope: FastifyInstance, operations: ControlOperations): void {
  // A schema cannot say what a payload's paths may be; its own parser does, and knows content from field names.
  takeBodies(scope, 'json-text');
  scope.put<{ Params: { name: string }; Body: string }>(
    '/v1/projections/:name',
    {
      bodyLimit: limits.controlBodyBytesMax,
      schema: { params: nameParams, body: textBody, response: { 200: applyAnswer, default: errorAnswer } },
    },
    (request) => operations.writeProjection(request.params.name, parsePayloadJson(request.body)),
  );
}
