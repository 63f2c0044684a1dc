/** Whether what was decoded is a record of the catalog: JSON that was damaged may still be JSON. */
import type { GenerationRecord, LinkRecord, ProjectionRecord, StagedRecord } from '../records.ts';
import { PROJECTION_TRANSITIONS } from '../records.ts';

type Fields = Readonly<Record<string, unknown>>;

const KINDS: readonly unknown[] = ['Projection', 'ConfigMap', 'Secret'];

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** Also for node ids and counts. */
export function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areText(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string');
}

export function isProjectionRecord(value: ProjectionRecord): boolean {
  const record = fieldsOf(value);
  if (record === undefined) return false;
  const { directory, namespace, name, kind, state, immutable, generation, number, history, keep } = record;
  if (!areText(directory, namespace, name, state) || directory === '') return false;
  if (!KINDS.includes(kind) || !Object.hasOwn(PROJECTION_TRANSITIONS, state as string)) return false;
  if (typeof immutable !== 'boolean' || !isId(generation) || !isId(number) || !isId(keep)) return false;
  if (!isId(record['createdAtMs']) || !isId(record['updatedAtMs'])) return false;
  return Array.isArray(history) && history.every((id) => isId(id) && id !== 0);
}

export function isGenerationRecord(value: GenerationRecord): boolean {
  const record = fieldsOf(value);
  if (record === undefined) return false;
  const { projection, directory, number, createdAtMs, nodes, directories, files, sizeBytes } = record;
  if (!areText(directory) || directory === '') return false;
  return [projection, number, createdAtMs, nodes, directories, files, sizeBytes].every(isId);
}

export function isStagedRecord(value: StagedRecord): boolean {
  const record = fieldsOf(value);
  return record !== undefined && isId(record['projection']);
}

export function isLinkRecord(value: LinkRecord): boolean {
  const record = fieldsOf(value);
  return record !== undefined && isId(record['node']) && typeof record['visible'] === 'boolean';
}
