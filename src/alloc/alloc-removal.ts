/**
 * Removing an alloc: when nothing of it is mounted any more its directory leaves the tree in one step, by a rename into the staging
 * directory, and is removed there, beneath, without going into a mount. What a crash leaves in staging, the next start removes.
 */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { byteText } from '../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { systemCode } from '../native/system-error.ts';
import { allocMounts } from './alloc-mount-rows.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { flushDirectory, walkError, withDirectory } from './directories.ts';
import { runtimeTrees } from './task-secrets.ts';
import type { TreePlace } from './tree-work/job.ts';
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

/**
 * At start, when nobody works on allocs yet: removes what interrupted removals have left.
 * @throws DunnageError of the first that could not be removed, when all others are.
 */
export async function removeLeftovers(directory: BackingDirectory): Promise<void> {
  const [failed] = await removeEach(await findLeftovers(directory));
  if (failed !== undefined) throw failed.error;
}

/** What interrupted removals and builds have left, seen before anybody works on allocs: what is made later is not among it. */
export async function findLeftovers(directory: Pick<BackingDirectory, 'stagingPath'>): Promise<readonly TreePlace[]> {
  try {
    const names = await readdir(directory.stagingPath, 'latin1');
    return names
      .filter((name) => LEFTOVERS.some((prefix) => name.startsWith(prefix)))
      .map((name) => ({ directory: directory.stagingPath, name }));
  } catch (error) {
    throw fromSystemError(error, `cannot list ${directory.stagingPath}`);
  }
}

/** Each by itself, one after the other: gives those that are still there, with what keeps them. Ends early when it is aborted. */
export async function removeEach(
  places: readonly TreePlace[],
  signal?: AbortSignal,
): Promise<readonly { readonly path: string; readonly error: DunnageError }[]> {
  const failed: { path: string; error: DunnageError }[] = [];
  for (const place of places) {
    if (signal?.aborted) break;
    const path = join(place.directory, Buffer.from(place.name, 'latin1').toString());
    try {
      await runTreeJob({ kind: 'remove', trees: [place] }, { signal });
    } catch (error) {
      if (signal?.aborted) break;
      const { code, message } = fromSystemError(error, 'cannot remove');
      const remedy = `look for what is mounted or immutable in it (findmnt, lsattr), then: rm -rf --one-file-system ${path}`;
      failed.push({
        path,
        error: new DunnageError(code, `${path} is left over: ${message}`, { remedy, cause: error }),
      });
    }
  }
  return failed;
}

/** Its name in the staging directory; undefined if there is no such alloc. */
async function moveAway(directory: BackingDirectory, id: string): Promise<string | undefined> {
  const name = `${DELETED}${randomBytes(8).toString('hex')}`;
  const moved = await withDirectory(directory.stagingPath, (staging) =>
    withDirectory(directory.path, async (root) => {
      try {
        loadNative().renameNode(root, byteText(id), staging, name, 'keep');
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return false;
        throw walkError(error, id);
      }
      await flushDirectory(staging);
      await flushDirectory(root);
      return true;
    }),
  );
  if (!moved) return undefined;
  await directory.changed(id);
  return name;
}
