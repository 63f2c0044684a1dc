/**
 * Errors on the control wire: `{"error": {"code", "message", "remedy"?}}`.
 *
 * What leaves the daemon is the message of a `DunnageError` and nothing else. Any other error may quote what it failed on
 * (`JSON.parse` does), so its message is replaced, in the answer and in the log.
 */
import { DunnageError } from '../errors/dunnage-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../errors/table.ts';

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly remedy?: string };
}

const FAILED_INSIDE = new DunnageError('INTERNAL', 'the daemon failed to answer this request', {
  remedy: 'the log of the daemon says where it failed; please report it',
});

interface FrameworkError {
  readonly code: string;
  readonly validation?: readonly {
    instancePath: string;
    keyword: string;
    params: Readonly<Record<string, unknown>>;
    message?: string;
  }[];
  readonly validationContext?: string;
}

/** The error a caller may see, for whatever was thrown while a request was answered. */
export function toPublicError(error: unknown): DunnageError {
  if (error instanceof DunnageError) return error.code === 'INTERNAL' ? FAILED_INSIDE : error;
  if (error instanceof Error && typeof (error as { code?: unknown }).code === 'string') {
    return fromFramework(error as Error & FrameworkError) ?? FAILED_INSIDE;
  }
  return FAILED_INSIDE;
}

export function toErrorBody(error: DunnageError): ErrorBody {
  const { code, message, remedy } = error;
  return { error: { code, message, ...(remedy === undefined ? {} : { remedy }) } };
}

/**
 * Turns an answer's body back into the error; a body that is none of ours becomes INTERNAL, except that of a server that is
 * closing (the framework answers 503 then).
 */
export function fromErrorBody(body: unknown, httpStatus: number): DunnageError {
  const error = (body as { error?: { code?: unknown; message?: unknown; remedy?: unknown } } | null)?.error;
  if (typeof error?.code !== 'string' || typeof error.message !== 'string' || !Object.hasOwn(ERROR_TABLE, error.code)) {
    if (httpStatus === 503) {
      return new DunnageError('UNREACHABLE', 'the daemon is ending', {
        remedy: 'start it again with: dunnage up --detach',
      });
    }
    return new DunnageError('INTERNAL', `the daemon answered with HTTP status ${httpStatus} and no error of ours`, {
      remedy: 'check that the socket belongs to dunnage, and that the command and the daemon have the same version',
    });
  }
  const options = typeof error.remedy === 'string' ? { remedy: error.remedy } : {};
  return new DunnageError(error.code as ErrorCode, error.message, options);
}

/** For the log: where an error came from, without its message. */
export function stackWithoutMessage(error: unknown): readonly string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return stack.split('\n').filter((line) => /^ {4}at /.test(line));
}

function fromFramework(error: FrameworkError): DunnageError | undefined {
  if (error.validation !== undefined) return fromValidation(error);
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new DunnageError('TOO_LARGE', 'the body of the request is larger than the control API takes');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new DunnageError('INVALID_ARGUMENT', 'the content type of the request is not one this route reads', {
        remedy:
          'manifests are application/yaml, single files application/octet-stream, everything else is application/json',
      });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new DunnageError('INVALID_ARGUMENT', 'the body of the request is not as long as its Content-Length says');
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_INVALID_URL':
      return new DunnageError('INVALID_ARGUMENT', 'the path of the request is not a valid URL path');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new DunnageError('NAME_TOO_LONG', 'a name in the path of the request is too long');
    default:
      return undefined;
  }
}

function fromValidation(error: FrameworkError): DunnageError {
  const part = error.validationContext ?? 'request';
  const first = error.validation?.[0];
  if (first === undefined) return new DunnageError('INVALID_ARGUMENT', `${part}: not valid`);
  const where = [part, ...first.instancePath.split('/').slice(1)].join('.');
  return new DunnageError('INVALID_ARGUMENT', `${where}: ${sayRule(first.keyword, first.params, first.message)}`);
}

function sayRule(keyword: string, params: Readonly<Record<string, unknown>>, message: string | undefined): string {
  if (keyword === 'enum' && Array.isArray(params['allowedValues']))
    return `must be one of ${params['allowedValues'].join(', ')}`;
  if (keyword === 'additionalProperties')
    return `has an unknown field ${JSON.stringify(params['additionalProperty']).slice(0, 80)}`;
  if (keyword === 'required') return `lacks the field ${JSON.stringify(params['missingProperty'])}`;
  return message ?? 'not valid';
}
