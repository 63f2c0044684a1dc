/**
 * The directory of one alloc, with those of its tasks. Making one is pure; `build` makes the directory and what tasks share. Methods may be called
 * at any time from anywhere: what changes the alloc is done one after another.
 */
import { join, relative } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type Log, silentLog } from '../base/log.ts';
import { KeyedMutex } from '../base/mutex.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { MountHolder } from '../mounts/mount-holders.ts';
import { loadNative } from '../native/load.ts';
import type { AllocDirFS, Cancellable, ChangeEvent, FileInfo } from './alloc-dir-fs.ts';
import { allocMounts, MountsInUse, unmountRows } from './alloc-mount-rows.ts';
import { moveAlloc } from './alloc-move.ts';
import { removeAlloc } from './alloc-removal.ts';
import type { BackingDirectory } from './backing-directory.ts';
import { type Existing, ensureTold, statusOf, withDirectory, withDirectoryBeneath } from './directories.ts';
import { AllocFiles } from './files/alloc-files.ts';
import { requireAllocId, SharedAllocDirs, SharedAllocName, TaskSecrets } from './layout.ts';
import { Seals } from './seals.ts';
import { snapshotAlloc } from './snapshot/snapshot-alloc.ts';
import { TaskDir, type TaskDirOptions, type TaskDirPlace } from './task-dir.ts';
import { memoryPlaces } from './task-secrets.ts';
import { nobody } from './users.ts';
import { waitForHolders } from './wait-for-holders.ts';

export interface AllocDirOptions {
  readonly directory: BackingDirectory;
  readonly id: string;
  readonly log?: Log;
}

export interface DestroyOptions {
  readonly signal?: AbortSignal;
  /** If it is given, processes that use a mount of the alloc are told to it and waited for, until the signal. Otherwise they are an error. */
  readonly onBusy?: (holders: readonly MountHolder[]) => void;
}

export interface MoveOptions {
  readonly signal?: AbortSignal;
  /** Bytes that were copied so far; never called if it is a rename. */
  readonly onProgress?: (doneBytes: number) => void;
}

const SHARED_MODE = 0o777;
const ALLOC_MODE = 0o755;

export class AllocDir implements AllocDirFS {
  readonly id: string;
  /** Absolute, as containers see it; so are all paths here. */
  readonly allocDir: string;
  /** The directory that the tasks share. */
  readonly sharedDir: string;
  readonly directory: BackingDirectory;
  readonly #log: Log;
  readonly #taskDirs = new Map<string, TaskDir>();
  readonly #files: AllocFiles;
  readonly #seals: Seals;
  readonly #turns = new KeyedMutex<'alloc'>();
  readonly #place: TaskDirPlace;
  #isBuilt = false;

  /** @throws DunnageError INVALID_ARGUMENT, NAME_TOO_LONG for an id that cannot be. */
  constructor({ directory, id, log = silentLog }: AllocDirOptions) {
    requireAllocId(id);
    this.id = id;
    this.directory = directory;
    this.allocDir = join(directory.visiblePath, id);
    this.sharedDir = join(this.allocDir, SharedAllocName);
    this.#log = log;
    this.#seals = new Seals(directory);
    this.#files = new AllocFiles({
      root: join(directory.path, id),
      tasks: () => [...this.#taskDirs.keys()],
      guarded: () => memoryPlaces(directory, id, this.#taskDirs.keys()),
    });
    this.#place = { directory, id, seals: this.#seals, run: (work) => this.#turns.run('alloc', work) };
  }

  /** By the names of the tasks. */
  get taskDirs(): ReadonlyMap<string, TaskDir> {
    return this.#taskDirs;
  }

  get isBuilt(): boolean {
    return this.#isBuilt;
  }

  /**
   * Makes the alloc's directory and what its tasks share, not the directories of the tasks. What is there already gets the modes and owners of
   * new ones.
   * @throws DunnageError INVALID_PATH for a symbolic link where a directory should be.
   */
  async build(): Promise<void> {
    await this.#place.run(() => this.#make('widen'));
  }

  /** After a restart or a reboot: as `build`, but what is there keeps its mode and owner. */
  async restore(): Promise<void> {
    await this.#place.run(() => this.#make('keep'));
  }

  /** Nothing is made on the disk. One of the same name is replaced. @throws DunnageError INVALID_ARGUMENT for a name that cannot be. */
  newTaskDir(name: string, options: TaskDirOptions = {}): TaskDir {
    const taskDir = new TaskDir(this.#place, name, options);
    this.#taskDirs.set(name, taskDir);
    return taskDir;
  }

  getTaskDir(name: string): TaskDir | undefined {
    return this.#taskDirs.get(name);
  }

  /** Another AllocDir of the same alloc, with its own TaskDirs; nothing on the disk is copied. */
  copy(): AllocDir {
    const copy = new AllocDir({ directory: this.directory, id: this.id, log: this.#log });
    for (const { name, secretsBytes, secretsOnDisk } of this.#taskDirs.values()) {
      copy.newTaskDir(name, { secretsBytes, secretsOnDisk });
    }
    copy.#isBuilt = this.#isBuilt;
    return copy;
  }

  /** @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY, INVALID_PATH (`Path escapes the alloc directory`), PERMISSION_DENIED for secrets. */
  async list(path: string): Promise<readonly FileInfo[]> {
    return await this.#files.list(path);
  }

  /** @throws DunnageError like `list`. */
  async stat(path: string): Promise<FileInfo> {
    return await this.#files.stat(path);
  }

  /** @throws DunnageError like `list`; IS_A_DIRECTORY, and INVALID_ARGUMENT for a fifo, socket or device. */
  async readAt(path: string, offsetBytes: number): Promise<Readable> {
    return await this.#files.readAt(path, offsetBytes);
  }

  /**
   * If something cannot be read the tar ends with an entry that says so, and this fails with `failed to snapshot PATH: ...`.
   * @throws DunnageError NOT_FOUND if the alloc is not built, INTERRUPTED by the signal.
   */
  async snapshot(output: Writable, { signal }: Cancellable = {}): Promise<void> {
    await snapshotAlloc({ directory: this.directory, id: this.id, tasks: [...this.#taskDirs.keys()] }, output, signal);
  }

  /** @throws DunnageError like `list`, also while it waits; the reason of the signal. */
  async blockUntilExists(path: string, { signal = new AbortController().signal }: Cancellable = {}): Promise<void> {
    await this.#files.blockUntilExists(path, signal);
  }

  /** @throws DunnageError like `readAt`, before the first event. */
  changeEvents(
    path: string,
    offsetBytes: number,
    { signal = new AbortController().signal }: Cancellable = {},
  ): AsyncGenerator<ChangeEvent> {
    return this.#files.changeEvents(path, offsetBytes, signal);
  }

  /**
   * Takes over what another alloc has kept: its `alloc/data`, and `local` of each listed task, replace the empty ones here. This alloc must be
   * built; its tasks need not be. On one file system it is a rename; across, a copy that goes on where an earlier attempt was
   * interrupted, and the source is removed when the copy is on the disk. What the other does not have is skipped. No task of
   * either may run.
   * @throws DunnageError INVALID_ARGUMENT if this alloc is not built, NOT_EMPTY if something is here already, BUSY if the source changes
   * meanwhile, INTERRUPTED by the signal, NO_SPACE.
   */
  async move(other: AllocDir, tasks: readonly string[], options: MoveOptions = {}): Promise<void> {
    if (other.directory.path === this.directory.path && other.id === this.id) {
      throw new DunnageError('INVALID_ARGUMENT', `alloc ${this.id} cannot be moved to itself`);
    }
    await this.#place.run(async () => {
      if (!this.#isBuilt) {
        throw new DunnageError('INVALID_ARGUMENT', `unable to move to ${this.allocDir} - alloc dir is not built`, {
          remedy: 'build it first',
        });
      }
      await moveAlloc({ from: other, to: this, tasks, ...options });
    });
  }

  /**
   * Takes away all that is mounted for the alloc, if nobody uses it; secrets and private directories are lost with that.
   * @throws DunnageError BUSY, saying by whom it is used; nothing was unmounted then.
   */
  async unmountAll(): Promise<void> {
    await this.#place.run(() => this.#unmountAll());
  }

  /**
   * Unmounts and removes everything. Nothing is removed while anything is mounted. One that is gone already is destroyed.
   * @throws DunnageError BUSY, saying by whom it is used (with `onBusy` it waits instead), INTERRUPTED by the signal: what is left then is
   * removed by destroying it again, or by `removeLeftovers`.
   */
  async destroy({ signal, onBusy }: DestroyOptions = {}): Promise<void> {
    await this.#place.run(async () => {
      for (;;) {
        try {
          await this.#unmountAll();
          break;
        } catch (error) {
          const cause = error instanceof DunnageError ? error.cause : undefined;
          if (onBusy === undefined || !(cause instanceof MountsInUse)) throw error;
          onBusy(cause.holders);
          await waitForHolders(cause.holders, signal);
        }
      }
      this.#isBuilt = false;
      // The numbers of these directories will be given to others.
      await this.#seals.breakAll();
      await removeAlloc(this.directory, this.id, await this.#taskNames(), signal);
    });
  }

  async #unmountAll(): Promise<void> {
    const tasks = await this.#taskNames();
    const rows = await allocMounts(this.directory, this.id, tasks);
    // An earlier process may have sealed what this one only finds.
    for (const { mountPoint } of rows) this.#seals.note(relative(this.directory.visiblePath, mountPoint));
    for (const task of tasks) {
      for (const name of [TaskSecrets, SharedAllocName]) this.#seals.note(join(this.id, task, name));
    }
    await unmountRows(this.directory, rows, `cannot unmount what alloc ${this.id} has`);
  }

  /** Those that are known, and those on the disk: an earlier process may have made more. */
  async #taskNames(): Promise<ReadonlySet<string>> {
    const names = new Set(this.#taskDirs.keys());
    await withDirectory(this.directory.path, async (root) => {
      if (statusOf(root, this.id) === undefined) return;
      await withDirectoryBeneath(root, this.id, (alloc) => {
        for (const name of loadNative().listNodes(alloc).names) names.add(Buffer.from(name, 'latin1').toString('utf8'));
      });
    });
    names.delete(SharedAllocName);
    return names;
  }

  async #make(existing: Existing): Promise<void> {
    const { directory, id } = this;
    const owner = process.geteuid?.() === 0 ? await nobody() : undefined;
    await withDirectory(directory.stagingPath, (staging) =>
      withDirectory(directory.path, async (root) => {
        await ensureTold(directory, id, { directory: root, name: id, staging }, { mode: ALLOC_MODE }, existing);
        await withDirectoryBeneath(root, id, async (alloc) => {
          const shared = { mode: SHARED_MODE, owner };
          const path = join(id, SharedAllocName);
          await ensureTold(directory, path, { directory: alloc, name: SharedAllocName, staging }, shared, existing);
          await withDirectoryBeneath(alloc, SharedAllocName, async (inner) => {
            for (const name of SharedAllocDirs) {
              await ensureTold(directory, join(path, name), { directory: inner, name, staging }, shared, existing);
            }
          });
        });
      }),
    );
    this.#isBuilt = true;
  }
}
