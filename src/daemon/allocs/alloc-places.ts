/**
 * Where a daemon keeps allocs, on one file system:
 *
 *   <alloc-dir>/tree       what `<mount>/allocs` shows: one directory for each alloc
 *   <alloc-dir>/staging    what is not finished yet, or on its way out
 *   <alloc-dir>/orphans    files that were removed while somebody had them open
 *
 * and in memory, below the runtime directory: the tmpfs of secrets (`secrets`, `private`) and the directories of tasks with
 * unveil isolation (`task-mounts`).
 */
import { dirname, join } from 'node:path';
import { makeDirectoriesSync } from '../../base/make-directories.ts';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import { allocsPath } from '../../tree/places.ts';
import type { DaemonOptions } from '../daemon-options.ts';

export interface AllocPlaces {
  readonly tree: string;
  readonly staging: string;
  readonly orphans: string;
  /** Where the tree is seen. */
  readonly visible: string;
  readonly taskMounts: string;
  /** Whatever is mounted below these belongs to allocs. */
  readonly memory: readonly string[];
}

export function allocDirOf({ allocDir, stateDir }: Pick<DaemonOptions, 'allocDir' | 'stateDir'>): string {
  return allocDir ?? join(stateDir, 'allocs');
}

export function allocPlaces(
  options: Pick<DaemonOptions, 'allocDir' | 'stateDir' | 'runtimeDir' | 'mountPoint'>,
): AllocPlaces {
  const allocDir = allocDirOf(options);
  return {
    tree: join(allocDir, 'tree'),
    staging: join(allocDir, 'staging'),
    orphans: join(allocDir, 'orphans'),
    visible: allocsPath(options.mountPoint),
    taskMounts: join(options.runtimeDir, 'task-mounts'),
    memory: memoryPlaces(options.runtimeDir),
  };
}

export function memoryPlaces(runtimeDir: string): readonly string[] {
  return ['secrets', 'private', 'task-mounts'].map((name) => join(runtimeDir, name));
}

/** @throws DunnageError that of the failed call, with the path */
export function makeAllocPlaces({ tree, staging, orphans, taskMounts }: AllocPlaces): void {
  for (const [path, mode] of [
    [dirname(tree), 0o700],
    [tree, 0o755],
    [staging, 0o700],
    [orphans, 0o700],
    [taskMounts, 0o755],
  ] as const) {
    try {
      makeDirectoriesSync(path, mode);
    } catch (error) {
      throw fromSystemError(error, `cannot make ${path} for allocs`);
    }
  }
}
