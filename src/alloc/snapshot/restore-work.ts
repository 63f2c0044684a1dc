/**
 * The system calls of a restore, for a thread of its own. Work is done below `<staging>/restore-<alloc>`, which is locked meanwhile: so
 * what a crash has left is told from what is under way.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { removeTree } from '../tree-work/remove-tree.ts';
import type { MendedRestore, SnapshotJob, UnpackSummary } from './messages.ts';
import { commitPlan, makeExchanges, planExchanges, readPlan, TREE } from './restore-plan.ts';

/** What is called so is removed at the next start, whatever it is. */
const DONE_PREFIX = 'deleted-';

type MendJob = Pick<SnapshotJob & { readonly kind: 'mend' }, 'alloc' | 'staging' | 'name'>;

/** Finishes or undoes what is there, and removes it. @throws DunnageError BUSY if it is under way. */
export function mendStaging(
  native: NativeBinding,
  job: MendJob,
): { outcome: MendedRestore; replaced: readonly string[] } {
  let work: number;
  try {
    work = native.openNode(job.staging, job.name, READ_DIRECTORY, 0, true);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { outcome: 'nothing', replaced: [] };
    throw error;
  }
  try {
    lock(native, work);
    const plan = readPlan(native, work);
    const replaced = plan === undefined ? [] : makeExchanges(native, work, job.alloc, plan);
    removeWork(native, job);
    return { outcome: plan === undefined ? 'undone' : 'finished', replaced };
  } finally {
    closeSync(work);
  }
}

/**
 * `unpack` fills the directory it is given. When it fails, nothing is left and nothing has changed.
 * Preconditions: `mendStaging` was called before.
 */
export async function restoreWork(
  native: NativeBinding,
  job: SnapshotJob & { readonly kind: 'restore' },
  unpack: (tree: number) => Promise<UnpackSummary>,
  checkStop: () => void,
): Promise<UnpackSummary> {
  native.makeNode(job.staging, job.name, constants.S_IFDIR | 0o700, 0, 0);
  const work = native.openNode(job.staging, job.name, READ_DIRECTORY, 0, true);
  try {
    lock(native, work);
    native.makeNode(work, TREE, constants.S_IFDIR | 0o700, 0, 0);
    let summary: UnpackSummary;
    const tree = native.openNode(work, TREE, READ_DIRECTORY, 0, true);
    try {
      summary = await unpack(tree);
      const plan = planExchanges(native, tree, job.roots);
      native.syncFileSystem(tree);
      checkStop();
      commitPlan(native, work, plan);
    } catch (error) {
      removeWork(native, job);
      throw error;
    } finally {
      closeSync(tree);
    }
    const replaced = makeExchanges(native, work, job.alloc, readPlan(native, work) ?? []);
    removeWork(native, job);
    return { ...summary, replaced };
  } finally {
    closeSync(work);
  }
}

function lock(native: NativeBinding, work: number): void {
  if (native.tryLock(work)) return;
  throw new DunnageError('BUSY', 'it is being restored already', { remedy: 'wait until that has ended' });
}

/** It loses its name first: a half-removed plan must not be taken for one. The new one is nobody else's, whatever the alloc is called. */
function removeWork(native: NativeBinding, { staging, name }: MendJob): void {
  const done = `${DONE_PREFIX}restore-${randomBytes(8).toString('hex')}`;
  native.renameNode(staging, name, staging, done, 'keep');
  fsyncSync(staging);
  removeTree(staging, done, { onStep: () => undefined });
}
