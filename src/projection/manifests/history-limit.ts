/**
 * How many generations an object keeps, with the live one: `spec.historyLimit` of a Projection, the annotation
 * `dunnage/history-limit` of a Kubernetes object.
 */
import { limits } from '../../base/limits.ts';
import type { ProjectionKind } from '../records.ts';
import type { Field } from './fields.ts';

export const HISTORY_LIMIT_ANNOTATION = 'dunnage/history-limit';

/**
 * Undefined if the manifest does not say.
 * @throws DunnageError INVALID_MANIFEST
 */
export function readHistoryLimit(object: Field, kind: ProjectionKind): number | undefined {
  if (kind === 'Projection') {
    const field = object.get('spec').get('historyLimit');
    return field.isAbsent ? undefined : checked(field, field.value);
  }
  const field = object.get('metadata').get('annotations').get(HISTORY_LIMIT_ANNOTATION);
  if (field.isAbsent) return undefined;
  const text = field.string();
  return checked(field, /^[0-9]+$/.test(text) ? Number(text) : undefined);
}

function checked(field: Field, value: unknown): number {
  const isPossible = typeof value === 'number' && Number.isInteger(value) && value >= 1;
  if (isPossible && value <= limits.historyGenerationsMax) return value;
  throw field.error(
    `must be a whole number from 1 to ${limits.historyGenerationsMax}`,
    '1 keeps the live generation alone; a rollback then has nothing to go back to',
  );
}
