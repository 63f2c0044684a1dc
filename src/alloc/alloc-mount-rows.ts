/** The mounts of one alloc, wherever they are, and taking them away in an order in which nothing is in the way of the next. */
import { join } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';
import { describeHolders, findHolders, type MountHolder } from '../mounts/mount-holders.ts';
import type { MountRow } from '../mounts/mount-table.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { TaskPrivate, TaskSecrets } from './layout.ts';
import { unveiledMounts } from './unveil.ts';

/** In the tree and in what tasks are given beside it first, the memory itself last. Inner mounts before those they are in. */
export async function allocMounts(
  directory: BackingDirectory,
  id: string,
  tasks: Iterable<string>,
): Promise<readonly MountRow[]> {
  const rows: MountRow[] = [];
  for (const task of tasks) rows.push(...innermostFirst(await unveiledMounts(directory, id, task)));
  const places = [
    ...new Set([join(directory.visiblePath, id), join(directory.path, id)]),
    ...[TaskSecrets, TaskPrivate].map((kind) => join(directory.runtimePath, kind, id)),
  ];
  for (const place of places) rows.push(...innermostFirst(await directory.mounts.list(place)));
  return rows;
}

function innermostFirst(rows: readonly MountRow[]): readonly MountRow[] {
  const byId = new Map(rows.map((row) => [row.mountId, row]));
  const depth = (row: MountRow): number => {
    const parent = byId.get(row.parentId);
    return parent === undefined || parent === row ? 0 : 1 + depth(parent);
  };
  return rows
    .map((row, index) => ({ row, depth: depth(row), index }))
    .sort((a, b) => b.depth - a.depth || b.index - a.index)
    .map(({ row }) => row);
}

/** Thrown as the cause of BUSY: who has to let go. */
export class MountsInUse extends Error {
  readonly holders: readonly MountHolder[];

  constructor(holders: readonly MountHolder[]) {
    super(`in use by ${describeHolders(holders)}`);
    this.holders = holders;
  }
}

/**
 * All of them, or none if one is in use. One that came to be in use meanwhile is told when the others are away.
 * @throws DunnageError BUSY, its cause a `MountsInUse`.
 */
export async function unmountRows(directory: BackingDirectory, rows: readonly MountRow[], what: string): Promise<void> {
  const holders = await findHolders(rows);
  if (holders.length > 0) throw inUse(what, holders);
  const errors: DunnageError[] = [];
  for (const { mountPoint } of rows) {
    try {
      await directory.mounts.unmount(mountPoint);
    } catch (error) {
      if (!(error instanceof DunnageError)) throw error;
      // Went with another one, in a tree of shared mounts.
      if (error.code !== 'INVALID_ARGUMENT' && error.code !== 'NOT_FOUND') errors.push(error);
    }
  }
  const [first] = errors;
  if (first === undefined) return;
  if (first.code === 'BUSY') throw inUse(what, await findHolders(rows));
  throw new DunnageError(first.code, `${what}: ${errors.map(({ message }) => message).join('; ')}`, { cause: first });
}

function inUse(what: string, holders: readonly MountHolder[]): DunnageError {
  return new DunnageError('BUSY', `${what}: in use by ${describeHolders(holders)}`, {
    remedy: 'end these processes; what is done by then stays done, so just repeat it',
    cause: new MountsInUse(holders),
  });
}
