/** /v1/pools: thin pools, what is in them, and their devices. */
import type { FastifyInstance } from 'fastify';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { takeBodies } from '../bodies.ts';
import type { NewPoolDevice, PoolOperations, PoolRepairOptions } from '../pool-operations.ts';
import {
  poolAnswer,
  poolBody,
  poolCheckAnswer,
  poolDeleteQuery,
  poolDeletionAnswer,
  poolDeviceAnswer,
  poolDeviceBody,
  poolDeviceParams,
  poolDevicesAnswer,
  poolParams,
  poolPutAnswer,
  poolPutQuery,
  poolRepairBody,
  poolStatusAnswer,
  poolSummariesAnswer,
} from '../pool-schemas.ts';
import { errorAnswer, type JsonSchema, noAnswer } from '../schemas.ts';

interface PoolParams {
  readonly name: string;
}

interface DeviceParams extends PoolParams {
  readonly device: string;
}

type FlagText = 'true' | 'false';

const BODY_BYTES_MAX = 65_536;

const answered = (schema: JsonSchema): JsonSchema => ({ 200: schema, default: errorAnswer });

/** `find`: undefined where the daemon has no thin pools. */
export async function addPoolRoutes(app: FastifyInstance, find: () => PoolOperations | undefined): Promise<void> {
  const pools = (): PoolOperations => {
    const found = find();
    if (found !== undefined) return found;
    throw new DunnageError('NOT_SUPPORTED', 'this daemon has no thin pools', {
      remedy: 'they need root and the native parts of dunnage: dunnage doctor says what is missing',
    });
  };
  addReading(app, pools);
  await addChanging(app, pools);
  await addDevices(app, pools);
}

function addReading(app: FastifyInstance, pools: () => PoolOperations): void {
  app.get('/v1/pools', { schema: { response: answered(poolSummariesAnswer) } }, () => pools().listPools());
  app.get<{ Params: PoolParams }>(
    '/v1/pools/:name',
    { schema: { params: poolParams, response: answered(poolAnswer) } },
    ({ params }) => pools().getPool(params.name),
  );
  app.get<{ Params: PoolParams }>(
    '/v1/pools/:name/status',
    { schema: { params: poolParams, response: answered(poolStatusAnswer) } },
    ({ params }) => pools().poolStatus(params.name),
  );
  app.post<{ Params: PoolParams }>(
    '/v1/pools/:name/check',
    { schema: { params: poolParams, response: answered(poolCheckAnswer) } },
    ({ params }) => pools().checkPool(params.name),
  );
}

async function addChanging(app: FastifyInstance, pools: () => PoolOperations): Promise<void> {
  app.delete<{ Params: PoolParams; Querystring: { force?: FlagText } }>(
    '/v1/pools/:name',
    { schema: { params: poolParams, querystring: poolDeleteQuery, response: answered(poolDeletionAnswer) } },
    ({ params, query }) => pools().deletePool(params.name, query.force === 'true'),
  );
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.put<{ Params: PoolParams; Querystring: { onlyNew?: FlagText }; Body: { spec: unknown } }>(
      '/v1/pools/:name',
      {
        bodyLimit: BODY_BYTES_MAX,
        schema: { params: poolParams, querystring: poolPutQuery, body: poolBody, response: answered(poolPutAnswer) },
      },
      ({ params, query, body }) => pools().putPool(params.name, body.spec, query.onlyNew === 'true'),
    );
    scope.post<{ Params: PoolParams; Body: PoolRepairOptions }>(
      '/v1/pools/:name/repair',
      {
        bodyLimit: BODY_BYTES_MAX,
        schema: { params: poolParams, body: poolRepairBody, response: answered(poolCheckAnswer) },
      },
      ({ params, body }) => pools().repairPool(params.name, body),
    );
  });
}

async function addDevices(app: FastifyInstance, pools: () => PoolOperations): Promise<void> {
  const one = { params: poolDeviceParams, response: answered(poolDeviceAnswer) };
  app.get<{ Params: PoolParams }>(
    '/v1/pools/:name/devices',
    { schema: { params: poolParams, response: answered(poolDevicesAnswer) } },
    ({ params }) => pools().listPoolDevices(params.name),
  );
  app.post<{ Params: DeviceParams }>('/v1/pools/:name/devices/:device/activate', { schema: one }, ({ params }) =>
    pools().activatePoolDevice(params.name, params.device),
  );
  app.post<{ Params: DeviceParams }>('/v1/pools/:name/devices/:device/deactivate', { schema: one }, ({ params }) =>
    pools().deactivatePoolDevice(params.name, params.device),
  );
  app.delete<{ Params: DeviceParams }>(
    '/v1/pools/:name/devices/:device',
    { schema: { params: poolDeviceParams, response: { 204: noAnswer, default: errorAnswer } } },
    async ({ params }, reply) => {
      await pools().deletePoolDevice(params.name, params.device);
      return reply.code(204).send();
    },
  );
  await app.register(async (scope) => {
    takeBodies(scope, 'json');
    scope.put<{ Params: DeviceParams; Body: NewPoolDevice }>(
      '/v1/pools/:name/devices/:device',
      { bodyLimit: BODY_BYTES_MAX, schema: { ...one, body: poolDeviceBody } },
      ({ params, body }) => pools().putPoolDevice(params.name, params.device, body),
    );
  });
}
