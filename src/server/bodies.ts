/**
 * How the control API reads bodies: each route that takes one has exactly the parser it needs. Fastify's own are not
 * used: their errors quote the body, and they replace wrong UTF-8 without a word.
 */
import type { FastifyInstance } from 'fastify';
import { DunnageError } from '../errors/dunnage-error.ts';

export type BodyKind =
  /** application/yaml, handed over as text. */
  | 'yaml'
  /** application/json, parsed; the route's schema judges it. */
  | 'json'
  /** application/json, handed over as text for a parser that knows what it holds. */
  | 'json-text';

/** Makes `kind` the only body the routes of this scope take. */
export function takeBodies(scope: FastifyInstance, kind: BodyKind): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    kind === 'yaml' ? 'application/yaml' : 'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => (kind === 'json' ? parseJson(decodeUtf8(body)) : decodeUtf8(body)),
  );
}

/** Makes bodies of that type, as they arrive, the only ones the routes of this scope take: of any length, and not read by the framework. */
export function takeStreams(scope: FastifyInstance, contentType: string): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(contentType, async () => undefined);
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new DunnageError('INVALID_ARGUMENT', 'the body of the request is not UTF-8 text');
  }
}

/** JSON.parse makes `__proto__` an ordinary own field, which the route's schema then refuses like any unknown one. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DunnageError('INVALID_ARGUMENT', 'the body of the request is not JSON');
  }
}
