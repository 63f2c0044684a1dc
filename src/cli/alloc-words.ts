/** The manifest that the options of `alloc create` stand for. JSON is YAML. */
import type { Isolation } from '../alloc/task-dir.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

export interface AllocWords {
  readonly task: readonly string[];
  readonly user?: string;
  readonly isolation?: Isolation;
  readonly secretsSize?: string;
  readonly secretsOnDisk?: boolean;
}

/** The daemon judges the values. @throws DunnageError INVALID_ARGUMENT without a task */
export function toAllocManifest(id: string, words: AllocWords): string {
  const { task: names, user, isolation, secretsSize, secretsOnDisk } = words;
  if (names.length === 0)
    throw new DunnageError('INVALID_ARGUMENT', 'an alloc has at least one task', { remedy: 'add --task NAME' });
  const common = { user, isolation, secretsSize, secretsOnDisk };
  return JSON.stringify({
    apiVersion: 'dunnage/v1',
    kind: 'Alloc',
    metadata: { name: id },
    spec: { tasks: names.map((name) => ({ name, ...common })) },
  });
}
