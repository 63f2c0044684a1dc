/** What an alloc shall be, as its manifest says it, and which changes of it a living alloc can follow. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Isolation } from '../task-dir.ts';

export const ISOLATIONS: readonly Isolation[] = ['none', 'image', 'chroot', 'unveil'];

/** A projection bound read-only into a task directory. */
export interface PresentedProjection {
  /** Directory under projections/, e.g. `secret.db`. */
  readonly name: string;
  /** Where it is presented: relative to the task directory. */
  readonly path: string;
}

export interface TaskSpec {
  readonly name: string;
  /** `uid[:gid]` or a name of the host; undefined: what the reference gives nobody is nobody's. */
  readonly user?: string;
  readonly isolation: Isolation;
  readonly secretsSizeBytes: number;
  /** An ordinary directory where a tmpfs cannot be had. */
  readonly secretsOnDisk: boolean;
  /** Host path: path in the task directory. */
  readonly chroot: Readonly<Record<string, string>>;
  readonly projections: readonly PresentedProjection[];
}

export interface AllocSpec {
  readonly id: string;
  readonly tasks: readonly TaskSpec[];
}

export interface SpecChange {
  /** Tasks to be built. */
  readonly added: readonly TaskSpec[];
  /** Tasks whose presented projections differ. */
  readonly presented: readonly TaskSpec[];
}

/** Undefined if nothing differs. @throws DunnageError IMMUTABLE for a change that only a new alloc can have */
export function changeOf(before: AllocSpec, after: AllocSpec): SpecChange | undefined {
  const wanted = new Map(after.tasks.map((task) => [task.name, task]));
  const presented: TaskSpec[] = [];
  for (const task of before.tasks) {
    const next = wanted.get(task.name);
    if (next === undefined) throw fixed(after.id, `task ${task.name} is missing in the manifest`);
    for (const field of ['user', 'isolation', 'secretsSizeBytes', 'secretsOnDisk', 'chroot'] as const) {
      if (!isSame(task[field], next[field])) throw fixed(after.id, `${field} of task ${task.name} differs`);
    }
    if (!isSame(task.projections, next.projections)) presented.push(next);
  }
  const known = new Set(before.tasks.map(({ name }) => name));
  const added = after.tasks.filter(({ name }) => !known.has(name));
  return added.length + presented.length === 0 ? undefined : { added, presented };
}

function fixed(id: string, what: string): DunnageError {
  return new DunnageError('IMMUTABLE', `the alloc ${id} exists, and ${what}`, {
    remedy: 'tasks can be added and their projections changed; for anything else delete the alloc and create it again',
  });
}

/** Both come from the same reader, which names the fields in one order. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
