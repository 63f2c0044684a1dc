/** Parameters of the file API, read as the reference reads them, with its words for what is wrong. */
import type { LogType } from '../alloc/files/log-names.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { FileApiError } from './file-api-error.ts';

export type Query = Readonly<Record<string, string | undefined>>;

export interface Position {
  readonly offset: number;
  readonly origin: 'start' | 'end';
}

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];
/** Largest number of the wire; beyond what is exact here there is no file. */
const INT64_MAX = 2n ** 63n - 1n;

/** @throws FileApiError 400 */
export function pathOf(query: Query): string {
  return query['path'] || refuse('must provide a file name');
}

/** @throws FileApiError 400 */
export function taskOf(query: Query): string {
  return query['task'] || refuse('must provide task name');
}

/** @throws FileApiError 400 */
export function logTypeOf({ type }: Query): LogType {
  if (type === 'stdout' || type === 'stderr') return type;
  return refuse('must provide log type (stdout/stderr)');
}

/** @throws FileApiError 400 */
export function flagOf(query: Query, name: string, otherwise: boolean): boolean {
  const text = query[name] ?? '';
  if (text === '') return otherwise;
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  return refuse(
    `failed to parse ${name} field to boolean: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** Of stream and logs. @throws FileApiError 400 */
export function positionOf({ offset = '', origin = '' }: Query): Position {
  const wanted = offset === '' ? 0 : (numberOf(offset) ?? refuse(`error parsing offset: ${unreadable(offset)}`));
  if (wanted < 0) return refuse('error parsing offset: it must not be negative');
  if (origin === 'end' || origin === 'start' || origin === '') return { offset: wanted, origin: origin || 'start' };
  return refuse('origin must be start or end');
}

/** Of readat, where the reference answers 500 to what it cannot read. */
export function rangeOf({ offset = '', limit = '' }: Query): { readonly offset: number; readonly limitBytes?: number } {
  const start = numberOf(offset);
  if (start === undefined || start < 0) return fail(`error parsing offset: ${unreadable(offset)}`);
  if (limit === '') return { offset: start };
  const limitBytes = numberOf(limit);
  if (limitBytes === undefined || limitBytes < 0) return fail(`error parsing limit: ${unreadable(limit)}`);
  // 0 is no limit.
  return limitBytes === 0 ? { offset: start } : { offset: start, limitBytes };
}

function numberOf(text: string): number | undefined {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  if (value > INT64_MAX || value < -INT64_MAX) return undefined;
  return Math.max(Math.min(Number(value), Number.MAX_SAFE_INTEGER), -Number.MAX_SAFE_INTEGER);
}

function unreadable(text: string): string {
  return `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`;
}

function refuse(message: string): never {
  throw new FileApiError(400, new DunnageError('INVALID_ARGUMENT', message));
}

function fail(message: string): never {
  throw new FileApiError(500, new DunnageError('INVALID_ARGUMENT', message));
}
