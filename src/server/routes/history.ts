/** /v1/projections/:kind/:namespace/:name/{history,diff,rollback}: earlier generations of an object. */
import type { FastifyInstance } from 'fastify';
import { takeBodies } from '../bodies.ts';
import type { HistoryOperations } from '../history-operations.ts';
import {
  diffAnswer,
  historyAnswer,
  purgeAnswer,
  purgeQuery,
  rangeQuery,
  rollbackAnswer,
  rollbackBody,
} from '../history-schemas.ts';
import type { ProjectionKind } from '../operations.ts';
import { errorAnswer, objectParams } from '../schemas.ts';

interface ObjectParams {
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
}

const OBJECT = '/v1/projections/:kind/:namespace/:name';
const BODY_BYTES_MAX = 4096;
const toNumber = (word: string | undefined): number | undefined => (word === undefined ? undefined : Number(word));

export async function addHistoryRoutes(app: FastifyInstance, operations: HistoryOperations): Promise<void> {
  app.get<{ Params: ObjectParams }>(
    `${OBJECT}/history`,
    { schema: { params: objectParams, response: { 200: historyAnswer, default: errorAnswer } } },
    ({ params }) => operations.projectionHistory(params.kind, params.namespace, params.name),
  );
  app.delete<{ Params: ObjectParams; Querystring: { keep?: string } }>(
    `${OBJECT}/history`,
    {
      schema: { params: objectParams, querystring: purgeQuery, response: { 200: purgeAnswer, default: errorAnswer } },
    },
    ({ params, query }) =>
      operations.purgeHistory(params.kind, params.namespace, params.name, toNumber(query.keep) ?? 1),
  );
  app.get<{ Params: ObjectParams; Querystring: { from?: string; to?: string } }>(
    `${OBJECT}/diff`,
    { schema: { params: objectParams, querystring: rangeQuery, response: { 200: diffAnswer, default: errorAnswer } } },
    ({ params, query }) =>
      operations.diffProjection(params.kind, params.namespace, params.name, {
        from: toNumber(query.from),
        to: toNumber(query.to),
      }),
  );
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.post<{ Params: ObjectParams; Body: { to?: number } }>(
      `${OBJECT}/rollback`,
      {
        bodyLimit: BODY_BYTES_MAX,
        schema: { params: objectParams, body: rollbackBody, response: { 200: rollbackAnswer, default: errorAnswer } },
      },
      ({ params, body }) => operations.rollbackProjection(params.kind, params.namespace, params.name, body.to),
    );
  });
}
