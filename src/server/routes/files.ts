/**
 * /v1/projections/NAME/files: single files of a Projection, of any length, streamed both ways. Names of Projections are in lower case and
 * kinds are not, so that these routes and those of objects never mean the same path.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { takeStreams } from '../bodies.ts';
import { decodeFiles, FILES_TYPE } from '../file-frames.ts';
import { incomingBody } from '../incoming-body.ts';
import type { ControlOperations } from '../operations.ts';
import { applyAnswer, errorAnswer, fileAttributesQuery, fileParams, nameParams } from '../schemas.ts';

interface FileParams {
  readonly name: string;
  readonly '*': string;
}

interface AttributesQuery {
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
}

const FILES = '/v1/projections/:name(^[a-z0-9][-a-z0-9.]*$)/files';
const OCTAL = 8;

export async function addFileRoutes(
  app: FastifyInstance,
  operations: ControlOperations,
  silenceMsMax: number,
): Promise<void> {
  const answered = { 200: applyAnswer, default: errorAnswer };
  app.get<{ Params: FileParams }>(
    `${FILES}/*`,
    { schema: { params: fileParams, response: { default: errorAnswer } } },
    async ({ params }, reply) => {
      const { sizeBytes, content } = await operations.readFile(params.name, params['*']);
      reply.header('content-type', 'application/octet-stream').header('content-length', sizeBytes);
      return reply.send(Readable.from(content, { objectMode: false }));
    },
  );
  app.delete<{ Params: FileParams }>(
    `${FILES}/*`,
    { schema: { params: fileParams, response: answered } },
    ({ params }) => operations.removeFile(params.name, params['*']),
  );
  await app.register(async (scope) => {
    takeStreams(scope, 'application/octet-stream');
    scope.put<{ Params: FileParams; Querystring: AttributesQuery }>(
      `${FILES}/*`,
      { schema: { params: fileParams, querystring: fileAttributesQuery, response: answered } },
      (request) => {
        const { name, '*': path } = request.params;
        return operations.writeFile(name, { path, ...attributesOf(request.query), content: bodyOf(request) });
      },
    );
  });
  await app.register(async (scope) => {
    takeStreams(scope, FILES_TYPE);
    scope.patch<{ Params: { name: string } }>(
      FILES,
      { schema: { params: nameParams, response: answered } },
      (request) => operations.writeFiles(request.params.name, decodeFiles(bodyOf(request))),
    );
  });

  function bodyOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
    return incomingBody(request.raw, silenceMsMax);
  }
}

function attributesOf({ mode, uid, gid }: AttributesQuery): { mode?: number; uid?: number; gid?: number } {
  return {
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, OCTAL) }),
    ...(uid === undefined ? {} : { uid: Number(uid) }),
    ...(gid === undefined ? {} : { gid: Number(gid) }),
  };
}
