/**
 * Removing an alloc: when nothing of it is mounted any more its directory leaves the tree in one step, by a rename into the staging
 * directory, and is removed there, beneath, without going into a mount. What a crash leaves in staging, the next start removes.
 */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { systemCode } from '../native/system-error.ts';
import { allocMounts } from './alloc-mount-rows.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { flushDirectory, nameBytes, walkError, withDirectory } from './directories.ts';
import { runtimeTrees } from './task-secrets.ts';
import { runTreeJob } from './tree-work/run-tree-job.ts';
import { removeUnveiled } from './unveil.ts';

const DELETED = 'deleted-';
/** What was being made when a daemon died: its maker makes it anew. */
const LEFTOVERS: readonly string[] = [DELETED, 'new-'];

/** Nothing of the alloc may be mounted. @throws DunnageError BUSY if something is. */
export async function removeAlloc(
  directory: BackingDirectory,
  id: string,
  tasks: Iterable<string>,
  signal?: AbortSignal,
): Promise<void> {
  const names = [...tasks];
  const [left] = await allocMounts(directory, id, names);
  if (left !== undefined) {
    throw new DunnageError('BUSY', `alloc ${id} is not removed: something is mounted on ${left.mountPoint}`, {
      remedy: `unmount it: umount ${left.mountPoint}`,
    });
  }
  const moved = await moveAway(directory, id);
  for (const task of names) await removeUnveiled(directory, id, task);
  const inStaging = moved === undefined ? [] : [{ directory: directory.stagingPath, name: moved }];
  await runTreeJob({ kind: 'remove', trees: [...runtimeTrees(directory, id), ...inStaging] }, { signal });
}

/** At start, when nobody works on allocs yet: removes what interrupted removals have left. */
export async function removeLeftovers(directory: BackingDirectory): Promise<void> {
  const names = (await readdir(directory.stagingPath, 'latin1')).filter((name) =>
    LEFTOVERS.some((prefix) => name.startsWith(prefix)),
  );
  if (names.length === 0) return;
  const trees = names.map((name) => ({ directory: directory.stagingPath, name }));
  await runTreeJob({ kind: 'remove', trees });
}

/** Its name in the staging directory; undefined if there is no such alloc. */
async function moveAway(directory: BackingDirectory, id: string): Promise<string | undefined> {
  const name = `${DELETED}${randomBytes(8).toString('hex')}`;
  const moved = await withDirectory(directory.stagingPath, (staging) =>
    withDirectory(directory.path, (root) => {
      try {
        loadNative().renameNode(root, nameBytes(id), staging, name, 'keep');
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return false;
        throw walkError(error, id);
      }
      flushDirectory(staging);
      flushDirectory(root);
      return true;
    }),
  );
  if (!moved) return undefined;
  await directory.changed(id);
  return name;
}
