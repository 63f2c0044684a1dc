/** GET /metrics: figures in Prometheus' text format. */
import type { FastifyInstance } from 'fastify';
import type { ControlOperations } from '../operations.ts';
import { errorAnswer, metricsAnswer } from '../schemas.ts';

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

export function addMetricsRoute(app: FastifyInstance, operations: ControlOperations): void {
  app.get('/metrics', { schema: { response: { 200: metricsAnswer, default: errorAnswer } } }, async (_, reply) => {
    return reply.type(TEXT_FORMAT).send(await operations.metrics());
  });
}
