/** What a snapshot consists of, and the names of its parts. */
import { type ByteText, byteText } from '../../base/byte-text.ts';
import type { FileTime } from '../../tar/entry.ts';
import { requireTaskName, SharedAllocName, SharedDataDir, TaskLocal } from '../layout.ts';

/** The entry that ends a snapshot which failed: whoever reads it must fail too. */
export function SnapshotErrorFilename(allocId: string): string {
  return `NOMAD-${allocId}-ERROR.log`;
}

/** The times of that entry: 1999-11-30T00:00:00Z. */
export const SnapshotErrorTime: Date = new Date(Date.UTC(1999, 10, 30));
export const SNAPSHOT_ERROR_TIME: FileTime = { seconds: SnapshotErrorTime.getTime() / 1000, nanoseconds: 0 };

const ERROR_FILE_NAME = /^NOMAD-.+-ERROR\.log$/s;

/** Of any alloc: a snapshot may be restored in another one than it was made of. */
export function isSnapshotErrorName(name: ByteText): boolean {
  return ERROR_FILE_NAME.test(name);
}

/** A directory that a snapshot holds, as `<parent>/<name>` beneath the alloc's directory. */
export interface SnapshotRoot {
  readonly parent: ByteText;
  readonly name: ByteText;
}

export function rootPath({ parent, name }: SnapshotRoot): ByteText {
  return `${parent}/${name}` as ByteText;
}

/**
 * `alloc/data`, then the `local` directory of each task in the order of their names.
 * @throws DunnageError INVALID_ARGUMENT for what cannot be a task.
 */
export function snapshotRoots(tasks: readonly string[]): readonly SnapshotRoot[] {
  for (const task of tasks) requireTaskName(task);
  const parents = [...new Set(tasks)].map(byteText).sort();
  return [
    { parent: byteText(SharedAllocName), name: byteText(SharedDataDir) },
    ...parents.map((parent) => ({ parent, name: byteText(TaskLocal) })),
  ];
}
