/** What of an alloc a container is given, and where it sees it. */
import { join } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { AllocDetail } from '../server/alloc-operations.ts';
import { type Mounting, TARGET_PLACEHOLDER } from './mount-lines.ts';
import { nearest } from './nearest.ts';

export interface AllocMountings {
  /** On the host: of the alloc, or of its task. */
  readonly path: string;
  readonly directories: readonly Mounting[];
}

/** Places that programs written for task directories know. */
const PLACES = [
  ['alloc', '/alloc'],
  ['local', '/local'],
  ['secrets', '/secrets'],
] as const;

/**
 * A task sees the directory all tasks share, its own, and its secrets; with `target` its whole directory there.
 * @throws DunnageError NOT_FOUND if the alloc has no such task
 */
export function allocMountings(
  alloc: AllocDetail,
  taskName: string | undefined,
  target: string | undefined,
): AllocMountings {
  const common = { isDirectory: true, isWritable: true } as const;
  if (taskName === undefined) {
    const whole = { ...common, source: alloc.path, target: target ?? TARGET_PLACEHOLDER, label: `alloc-${alloc.id}` };
    return { path: alloc.path, directories: [whole] };
  }
  const task = alloc.tasks.find(({ name }) => name === taskName);
  if (task === undefined) throw noTask(alloc, taskName);
  const label = `${alloc.id}-${task.name}`;
  if (target !== undefined) {
    return { path: task.path, directories: [{ ...common, source: task.path, target, label }] };
  }
  const directories = PLACES.map(([name, place]) => ({
    ...common,
    source: join(name === 'alloc' ? alloc.path : task.path, name),
    target: place,
    label: `${name}-${label}`,
  }));
  return { path: task.path, directories };
}

function noTask({ id, tasks }: AllocDetail, name: string): DunnageError {
  const names = tasks.map((task) => task.name);
  const near = nearest(name, names);
  return new DunnageError('NOT_FOUND', `the alloc ${id} has no task ${JSON.stringify(name)}`, {
    remedy: near === undefined ? `its tasks: ${names.join(', ')}` : `did you mean ${near}?`,
  });
}
