/** KIND and NAME as users write them: kubectl's names and short forms, and `KIND/NAME` in one word. */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { ProjectionKind } from '../server/operations.ts';
import { nearest } from './nearest.ts';

export type ObjectKind = ProjectionKind | 'Alloc' | 'Pool';

/** Every spelling of a kind. */
const SPELLINGS: Readonly<Record<string, ObjectKind>> = {
  projection: 'Projection',
  projections: 'Projection',
  configmap: 'ConfigMap',
  configmaps: 'ConfigMap',
  cm: 'ConfigMap',
  secret: 'Secret',
  secrets: 'Secret',
  alloc: 'Alloc',
  allocs: 'Alloc',
  pool: 'Pool',
  pools: 'Pool',
};

export const KIND_WORDS: readonly string[] = Object.keys(SPELLINGS);

export interface Target {
  readonly kind: ObjectKind;
  readonly name: string;
}

/** @throws INVALID_ARGUMENT */
export function parseKind(word: string): ObjectKind {
  const spelling = word.toLowerCase();
  const kind = Object.hasOwn(SPELLINGS, spelling) ? SPELLINGS[spelling] : undefined;
  if (kind !== undefined) return kind;
  const near = nearest(spelling, KIND_WORDS);
  throw new DunnageError('INVALID_ARGUMENT', `there is no kind ${JSON.stringify(word)}`, {
    remedy: `${near === undefined ? '' : `did you mean ${near}? `}kinds: projection, configmap (cm), secret, alloc, pool`,
  });
}

/**
 * `secret db`, `secret/db`.
 *
 * @throws INVALID_ARGUMENT if there is no name, or more than one.
 */
export function parseTarget(first: string, second: string | undefined): Target {
  const slash = first.indexOf('/');
  const [word, joined] = slash === -1 ? [first, undefined] : [first.slice(0, slash), first.slice(slash + 1)];
  const kind = parseKind(word);
  const name = joined ?? second;
  if (name === undefined || name === '') {
    throw new DunnageError('INVALID_ARGUMENT', `the name of the ${word} is missing`, { remedy: `write ${word}/NAME` });
  }
  if (joined !== undefined && second !== undefined) {
    throw new DunnageError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(second)} is one name too many after ${JSON.stringify(first)}`,
    );
  }
  return { kind, name };
}

export interface ProjectionTarget extends Target {
  readonly kind: ProjectionKind;
}

/** The same for what only kinds of projections have. @throws INVALID_ARGUMENT for an alloc and for a pool */
export function parseProjectionTarget(first: string, second: string | undefined): ProjectionTarget {
  const { kind, name } = parseTarget(first, second);
  if (kind !== 'Alloc' && kind !== 'Pool') return { kind, name };
  const more = kind === 'Alloc' ? '; snapshots of an alloc: dunnage alloc snapshot' : '';
  throw new DunnageError('INVALID_ARGUMENT', `${kind === 'Alloc' ? 'an alloc' : 'a pool'} has no generations`, {
    remedy: `name a projection, configmap or secret${more}`,
  });
}

/** `secret/db`, as `apply` and `delete` print it. */
export function formatTarget({ kind, name }: Target, namespace: string): string {
  const where = namespace === 'default' ? '' : ` (namespace ${namespace})`;
  return `${kind.toLowerCase()}/${name}${where}`;
}
