/** GET /v1/status and GET /healthz. */
import type { FastifyInstance } from 'fastify';
import type { ControlOperations } from '../operations.ts';
import { errorAnswer, healthAnswer, statusAnswer } from '../schemas.ts';

export function addStatusRoutes(app: FastifyInstance, operations: ControlOperations): void {
  app.get('/v1/status', { schema: { response: { 200: statusAnswer, default: errorAnswer } } }, () =>
    operations.status(),
  );
  app.get('/healthz', { schema: { response: { 200: healthAnswer, default: errorAnswer } } }, async () => ({
    status: 'ok',
  }));
}
