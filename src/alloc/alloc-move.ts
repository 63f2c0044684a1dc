/**
 * What one alloc has kept becomes another's: `alloc/data`, and `local` of each task.
 *
 * On one file system it is a rename over the empty directory. Across, each directory is copied into the staging directory of its target, under a name that
 * tells what it is, so that the next attempt goes on with it:
 *
 *     copy, flushed -> `<name>.copied`, flushed -> rename over the empty directory -> source renamed away and removed -> `.copied` removed
 *
 * With `.copied` there the source is not read again; whichever of the later steps is missing is made.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { NODE } from '../native/node-status.ts';
import { systemCode } from '../native/system-error.ts';
import type { BackingDirectory } from './backing-directory.ts';
import {
  ensureTold,
  flushDirectory,
  isDirectoryMode,
  isEmptyDirectory,
  openDirectory,
  statusOf,
  walkError,
  withDirectory,
} from './directories.ts';
import { SharedAllocName, SharedDataDir, TaskLocal } from './layout.ts';
import { runTreeJob } from './tree-work/run-tree-job.ts';
import { nobody } from './users.ts';

export interface MovePlace {
  readonly directory: BackingDirectory;
  readonly id: string;
}

export interface AllocMove {
  readonly from: MovePlace;
  readonly to: MovePlace;
  readonly tasks: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number) => void;
}

/** Changes nothing. @throws DunnageError NOT_EMPTY if a part would be moved over something */
export async function requireRoom(move: AllocMove): Promise<void> {
  for (const part of partsOf(move)) await part.requireRoom();
}

/** Nothing is moved if a part of it cannot be. @throws DunnageError NOT_EMPTY */
export async function moveAlloc(move: AllocMove): Promise<void> {
  await requireRoom(move);
  let doneBytes = 0;
  for (const part of partsOf(move)) {
    let partBytes = 0;
    await part.run((bytes) => {
      partBytes = bytes;
      move.onProgress?.(doneBytes + bytes);
    });
    doneBytes += partBytes;
  }
}

function partsOf(move: AllocMove): readonly PartMove[] {
  const locals = move.tasks.map((task) => new PartMove(move, task, TaskLocal));
  return [new PartMove(move, SharedAllocName, SharedDataDir), ...locals];
}

/** One directory: `<alloc>/<parent>/<name>`. */
class PartMove {
  readonly #move: AllocMove;
  readonly #parent: string;
  readonly #name: string;

  constructor(move: AllocMove, parent: string, name: string) {
    this.#move = move;
    this.#parent = parent;
    this.#name = name;
  }

  async run(onProgress: (doneBytes: number) => void): Promise<void> {
    const { from, to, signal } = this.#move;
    if (signal?.aborted) throw new DunnageError('INTERRUPTED', 'stopped on request', { cause: signal.reason });
    await this.#makeTargetParent();
    await withDirectory(from.directory.path, (fromRoot) =>
      withDirectory(to.directory.path, async (toRoot) => {
        const source = openIfThere(fromRoot, join(from.id, this.#parent));
        const target = openDirectory(toRoot, join(to.id, this.#parent));
        try {
          if (source !== undefined) await this.#between(source, target, onProgress);
          else await this.#finishCopied(undefined, target);
        } finally {
          if (source !== undefined) closeSync(source);
          closeSync(target);
        }
      }),
    );
  }

  /** A source that is missing or empty is moved over nothing, and one that was copied whole may have arrived. */
  async requireRoom(): Promise<void> {
    const { from, to } = this.#move;
    const isCopied = (staging: number): boolean => statusOf(staging, this.#markName) !== undefined;
    if (await withDirectory(to.directory.stagingPath, isCopied)) return;
    const hasContent = await withParent(from, this.#parent, (source) => {
      const status = statusOf(source, this.#name);
      if (status !== undefined) this.#requireDirectory(status);
      return !isEmptyOrMissing(source, this.#name);
    });
    if (hasContent !== true) return;
    await withParent(to, this.#parent, (target) => this.#requireEmptyTarget(target));
  }

  /** A task of the target need not be built: its directory is made, as `TaskDir.build` would. */
  async #makeTargetParent(): Promise<void> {
    const { directory, id } = this.#move.to;
    const owner = process.geteuid?.() === 0 ? await nobody() : undefined;
    await withDirectory(directory.stagingPath, (staging) =>
      withDirectory(directory.path, async (root) => {
        const alloc = openDirectory(root, id);
        try {
          const place = { directory: alloc, name: this.#parent, staging };
          await ensureTold(directory, join(id, this.#parent), place, { mode: 0o777, owner }, 'keep');
        } finally {
          closeSync(alloc);
        }
      }),
    );
  }

  async #between(source: number, target: number, onProgress: (doneBytes: number) => void): Promise<void> {
    if (await this.#finishCopied(source, target)) return;
    const status = statusOf(source, this.#name);
    if (status === undefined) return;
    this.#requireDirectory(status);
    this.#requireEmptyTarget(target);
    try {
      loadNative().renameNode(source, this.#name, target, this.#name, 'replace');
    } catch (error) {
      if (systemCode(error) !== 'EXDEV') throw walkError(error, `${this.#parent}/${this.#name}`);
      await this.#copy(source, onProgress);
      await this.#finishCopied(source, target);
      return;
    }
    await flushDirectory(target);
    await flushDirectory(source);
    await this.#tellChanged();
  }

  async #copy(source: number, onProgress: (doneBytes: number) => void): Promise<void> {
    const { directory } = this.#move.to;
    const path = join(directory.stagingPath, this.#stagedName);
    await mkdir(path, { recursive: true, mode: 0o700 });
    const opened = openDirectory(source, this.#name);
    try {
      await runTreeJob({ kind: 'copy', source: opened, target: path }, { signal: this.#move.signal, onProgress });
    } finally {
      closeSync(opened);
    }
    await withDirectory(directory.stagingPath, async (staging) => {
      const flags = constants.O_WRONLY | constants.O_CREAT;
      closeSync(loadNative().openNode(staging, this.#markName, flags, 0o600, true));
      await flushDirectory(staging);
    });
  }

  /** What follows a whole copy, whatever of it was done before. False if there is no whole copy. */
  async #finishCopied(source: number | undefined, target: number): Promise<boolean> {
    const { directory } = this.#move.to;
    return await withDirectory(directory.stagingPath, async (staging) => {
      if (statusOf(staging, this.#markName) === undefined) return false;
      if (statusOf(staging, this.#stagedName) !== undefined) {
        this.#requireEmptyTarget(target);
        loadNative().renameNode(staging, this.#stagedName, target, this.#name, 'replace');
        await flushDirectory(target);
        await flushDirectory(staging);
      }
      if (source !== undefined) await this.#removeSource(source);
      loadNative().removeNode(staging, this.#markName, false);
      await flushDirectory(staging);
      await this.#tellChanged();
      return true;
    });
  }

  async #removeSource(source: number): Promise<void> {
    const { directory } = this.#move.from;
    if (statusOf(source, this.#name) === undefined) return;
    // Never the name of what an earlier attempt has left: that may be being removed at this moment.
    const name = `deleted-${this.#stagedName}.${randomBytes(8).toString('hex')}`;
    await withDirectory(directory.stagingPath, async (staging) => {
      loadNative().renameNode(source, this.#name, staging, name, 'keep');
      await flushDirectory(staging);
      await flushDirectory(source);
    });
    await runTreeJob({ kind: 'remove', trees: [{ directory: directory.stagingPath, name }] });
  }

  #requireDirectory(status: Float64Array): void {
    if (isDirectoryMode(status)) return;
    throw new DunnageError(
      'NOT_A_DIRECTORY',
      `${this.#parent}/${this.#name} of alloc ${this.#move.from.id} is no directory`,
    );
  }

  #requireEmptyTarget(target: number): void {
    if (isEmptyOrMissing(target, this.#name)) return;
    const path = `${this.#parent}/${this.#name}`;
    throw new DunnageError('NOT_EMPTY', `${path} of alloc ${this.#move.to.id} is not empty: nothing is moved over it`, {
      remedy: 'move to a new alloc, or remove what is there',
    });
  }

  async #tellChanged(): Promise<void> {
    const { from, to } = this.#move;
    const path = join(this.#parent, this.#name);
    await from.directory.changed(join(from.id, path));
    await to.directory.changed(join(to.id, path));
  }

  /** The same for the same move, also in another process. */
  get #stagedName(): string {
    const { from, to } = this.#move;
    const text = JSON.stringify([from.directory.path, from.id, to.id, this.#parent, this.#name]);
    return `move-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  }

  get #markName(): string {
    return `${this.#stagedName}.copied`;
  }
}

/** Undefined if the parent is not there. */
async function withParent<T>(
  { directory, id }: MovePlace,
  parent: string,
  look: (opened: number) => T,
): Promise<T | undefined> {
  return await withDirectory(directory.path, (root) => {
    const opened = openIfThere(root, join(id, parent));
    if (opened === undefined) return undefined;
    try {
      return look(opened);
    } finally {
      closeSync(opened);
    }
  });
}

/** What is mounted on is not empty. */
function isEmptyOrMissing(parent: number, name: string): boolean {
  const status = statusOf(parent, name);
  if (status === undefined) return true;
  if (!isDirectoryMode(status) || status[NODE.isMountRoot] === 1) return false;
  return isEmptyDirectory(parent, name);
}

/** Undefined if the alloc, or the task, is not there: there is nothing to move then. */
function openIfThere(root: number, path: string): number | undefined {
  try {
    return openDirectory(root, path);
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
