/**
 * The end of a restore, so that a crash leaves the old directories or the new ones, of all tasks alike. In the staging directory,
 * `restore-<alloc>/` has the new directories in `tree/`. When they are whole and on the disk, the file `commit` is made with their identities: from
 * then on the restore happens. Each new directory is exchanged with the old one; which of them were exchanged already is told by
 * their identities. Then all of it is removed: with the old ones.
 */
import { closeSync, constants, fchmodSync, fsyncSync, readFileSync, writeFileSync } from 'node:fs';
import { bytesOf } from '../../base/byte-text.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { NODE, nodeIdentity } from '../../native/node-status.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { rootPath, type SnapshotRoot } from './snapshot-names.ts';

export const TREE = 'tree';
const COMMIT = 'commit';
const UNFINISHED_COMMIT = 'commit.new';
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
const NEW_DIRECTORY_MODE = 0o777;
const NOBODY = 65_534;

export interface PlannedExchange extends SnapshotRoot {
  /** Of the new directory. */
  readonly identity: string;
}

/** Which roots the archive had, in the tree of a staging directory. */
export function planExchanges(native: NativeBinding, tree: number, roots: readonly SnapshotRoot[]): PlannedExchange[] {
  return roots.flatMap((root) => {
    const identity = identityOf(native, tree, root);
    return identity === undefined ? [] : [{ ...root, identity }];
  });
}

/** From here on the restore happens. Preconditions: the tree is on the disk. */
export function commitPlan(native: NativeBinding, staging: number, plan: readonly PlannedExchange[]): void {
  const file = native.openNode(staging, UNFINISHED_COMMIT, CREATE, 0o600, true);
  try {
    writeFileSync(file, JSON.stringify(plan));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  native.renameNode(staging, UNFINISHED_COMMIT, staging, COMMIT, 'replace');
  fsyncSync(staging);
}

/** Undefined if the restore was not committed. @throws DunnageError CORRUPT if the plan cannot be read. */
export function readPlan(native: NativeBinding, staging: number): PlannedExchange[] | undefined {
  let file: number;
  try {
    file = native.openNode(staging, COMMIT, constants.O_RDONLY, 0, true);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const plan: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (Array.isArray(plan) && plan.every(isExchange)) return plan;
  } catch {
    // Said below.
  } finally {
    closeSync(file);
  }
  throw new DunnageError('CORRUPT', 'the plan of an interrupted restore cannot be read', {
    remedy: 'look at the staging directory of the allocs; restore the alloc again',
  });
}

function isExchange(value: unknown): value is PlannedExchange {
  const row = value as Partial<PlannedExchange> | null;
  return [row?.parent, row?.name, row?.identity].every((text) => typeof text === 'string' && text !== '');
}

/** Makes the exchanges that were not made yet, durably. Returns what is new. */
export function makeExchanges(
  native: NativeBinding,
  staging: number,
  alloc: number,
  plan: readonly PlannedExchange[],
): string[] {
  const tree = native.openNode(staging, TREE, READ_DIRECTORY, 0, true);
  try {
    for (const exchange of plan) {
      if (identityOf(native, tree, exchange) !== exchange.identity) continue;
      const from = native.openNode(tree, exchange.parent, READ_DIRECTORY, 0, true);
      try {
        exchangeOne(native, from, alloc, exchange);
      } finally {
        closeSync(from);
      }
    }
  } finally {
    closeSync(tree);
  }
  return plan.map(rootPath).map((path) => bytesOf(path).toString('utf8'));
}

function exchangeOne(native: NativeBinding, from: number, alloc: number, { parent, name }: SnapshotRoot): void {
  const to = openOrMake(native, alloc, parent);
  try {
    try {
      native.renameNode(from, name, to, name, 'exchange');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      native.renameNode(from, name, to, name, 'keep');
    }
    fsyncSync(to);
    fsyncSync(from);
  } finally {
    closeSync(to);
  }
}

/** The directory of a task that was not built yet is made as it will be. */
function openOrMake(native: NativeBinding, alloc: number, name: string): number {
  try {
    return native.openNode(alloc, name, READ_DIRECTORY, 0, true);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  native.makeNode(alloc, name, constants.S_IFDIR | 0o700, 0, 0);
  const made = native.openNode(alloc, name, READ_DIRECTORY, 0, true);
  if (process.geteuid?.() === 0) native.setOwner(made, '', NOBODY, NOBODY);
  fchmodSync(made, NEW_DIRECTORY_MODE);
  return made;
}

/** Undefined if it is missing. */
function identityOf(native: NativeBinding, directory: number, { parent, name }: SnapshotRoot): string | undefined {
  let opened: number;
  try {
    opened = native.openNode(directory, parent, READ_DIRECTORY, 0, true);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const status = native.statNode(opened, name);
    return ((status[NODE.mode] ?? 0) & constants.S_IFMT) === constants.S_IFDIR ? nodeIdentity(status) : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  } finally {
    closeSync(opened);
  }
}
