/**
 * Restores an alloc from a snapshot, all or nothing: the archive is unpacked and checked in the staging directory, and only when it is whole do
 * its directories take the place of `alloc/data` and of the tasks' `local` (restore-plan.ts says how). Directories that the snapshot does
 * not have stay as they are. What a crash leaves is finished or undone by `mendRestores` at the next start.
 */
import { closeSync, openSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf, byteText } from '../../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import type { BackingDirectory } from '../backing-directory.ts';
import { requireAllocId } from '../layout.ts';
import type { MendedRestore, UnpackSummary } from './messages.ts';
import { runOnArchive } from './run-on-archive.ts';
import { rootPath, type SnapshotRoot, snapshotRoots } from './snapshot-names.ts';

const STAGING_PREFIX = 'restore-';

export interface RestoreTarget {
  readonly directory: Pick<BackingDirectory, 'path' | 'visiblePath' | 'stagingPath' | 'changed' | 'mounts'>;
  readonly id: string;
  readonly tasks: readonly string[];
}

export interface RestoreReport extends UnpackSummary {
  /** Directories that were replaced, relative to the alloc's: `alloc/data`, `web/local`. */
  readonly replaced: readonly string[];
}

/**
 * Nobody should use the alloc meanwhile: who has a file of it open keeps the old one.
 * @throws DunnageError of what is wrong with the archive (see `streamAllocDir`), and nothing has changed; BUSY if something is mounted in
 * what would be replaced, or another restore is under way; NOT_FOUND if there is no such alloc.
 */
export async function restoreAlloc(
  target: RestoreTarget,
  input: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<RestoreReport> {
  requireAllocId(target.id);
  const roots = snapshotRoots(target.tasks);
  return await withDirectories(target, async (alloc, staging) => {
    await refuseMounts(target, roots);
    const job = { kind: 'restore', alloc, staging, name: stagingName(target.id), roots, owners: isRoot() } as const;
    const before = await identities(target, roots);
    const { replaced = [], ...summary } = await runOnArchive(job, input, signal).catch(async (error: unknown) => {
      // What could not be cleaned up fails when the directories have changed places already.
      const after = await identities(target, roots);
      await tellReplaced(
        target,
        roots.map(pathOf).filter((_, index) => before[index] !== after[index]),
      );
      throw error;
    });
    // An interrupted restore may have been finished on the way: all are told.
    await tellReplaced(target, roots.map(pathOf));
    return { ...summary, replaced };
  });
}

/**
 * Finishes or undoes the restore of one alloc that a crash has interrupted. For starts, when nobody works on the alloc yet.
 * @throws DunnageError BUSY if somebody restores it at this moment.
 */
export async function mendRestore(target: Omit<RestoreTarget, 'tasks'>): Promise<MendedRestore> {
  requireAllocId(target.id);
  return await withDirectories(target, async (alloc, staging) => {
    const job = { kind: 'mend', alloc, staging, name: stagingName(target.id) } as const;
    const { replaced = [], outcome = 'nothing' } = await runOnArchive(job, undefined, undefined);
    await tellReplaced(target, replaced);
    return outcome;
  });
}

/** The allocs whose restore was interrupted: each is mended by itself, so that a broken one keeps none of the others from it. */
export async function interruptedRestores(directory: Pick<BackingDirectory, 'stagingPath'>): Promise<string[]> {
  try {
    const names = await readdir(directory.stagingPath);
    return names.filter((name) => name.startsWith(STAGING_PREFIX)).map((name) => name.slice(STAGING_PREFIX.length));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw fromSystemError(error, `cannot list ${directory.stagingPath}`);
  }
}

function stagingName(id: string): string {
  return byteText(`${STAGING_PREFIX}${id}`);
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

async function withDirectories<Result>(
  { directory, id }: Omit<RestoreTarget, 'tasks'>,
  use: (alloc: number, staging: number) => Promise<Result>,
): Promise<Result> {
  const opened: number[] = [];
  try {
    opened.push(openSync(join(directory.path, id), READ_DIRECTORY));
    opened.push(openSync(directory.stagingPath, READ_DIRECTORY));
    return await use(opened[0] as number, opened[1] as number);
  } catch (error) {
    throw fromSystemError(error, `cannot restore alloc ${id}`);
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function pathOf(root: SnapshotRoot): string {
  return bytesOf(rootPath(root)).toString();
}

/** What is mounted in a directory that is replaced would be out of sight, and still there. */
async function refuseMounts({ directory, id }: RestoreTarget, roots: readonly SnapshotRoot[]): Promise<void> {
  for (const root of roots) {
    const path = join(directory.visiblePath, id, pathOf(root));
    const [mounted] = await directory.mounts.list(path);
    if (mounted === undefined) continue;
    throw new DunnageError('BUSY', `alloc ${id} cannot be restored: something is mounted on ${mounted.mountPoint}`, {
      remedy: 'end the tasks of the alloc and take away what is mounted there, then repeat',
    });
  }
}

/** What stands at each root now; undefined where nothing does. */
async function identities(
  { directory, id }: RestoreTarget,
  roots: readonly SnapshotRoot[],
): Promise<readonly (string | undefined)[]> {
  return await Promise.all(
    roots.map((root) =>
      lstat(join(directory.path, id, pathOf(root)), { bigint: true }).then(
        ({ dev, ino }) => `${dev}:${ino}`,
        () => undefined,
      ),
    ),
  );
}

async function tellReplaced(
  { directory, id }: Omit<RestoreTarget, 'tasks'>,
  replaced: readonly string[],
): Promise<void> {
  for (const path of replaced) await directory.changed(join(id, path));
}
