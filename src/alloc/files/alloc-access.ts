/** How the parts of the file API reach the files of one alloc: walks past the guard, and what may be opened at their end. */
import { type BigIntStats, closeSync } from 'node:fs';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { type Inotify, sharedInotify } from '../../native/inotify.ts';
import { type Walked, type WalkOptions, walkAlloc } from './alloc-walk.ts';
import { type OpenObject, openRoot, reopen } from './open-object.ts';
import { type Guarded, SecretGuard, type SecretGuardOptions } from './secret-guard.ts';

export interface AllocFilesOptions extends SecretGuardOptions {
  /** Absolute path of the alloc's directory. Its parents are trusted. */
  readonly root: string;
  /** Default: one for the thread. */
  readonly inotify?: Inotify;
}

/** An object that was opened for reading. */
export interface Readable {
  readonly descriptor: number;
  readonly object: OpenObject;
}

export class AllocAccess {
  readonly root: string;
  readonly tasks: () => readonly string[];
  /** One for all walks of the alloc: it knows more the longer it lives. */
  readonly guard: SecretGuard;
  readonly #inotify: Inotify | undefined;

  constructor(options: AllocFilesOptions) {
    this.root = options.root;
    this.tasks = options.tasks;
    this.guard = new SecretGuard(options);
    this.#inotify = options.inotify;
  }

  get inotify(): Inotify {
    return this.#inotify ?? sharedInotify();
  }

  /** The caller closes what it gets. @throws DunnageError like `walkAlloc`. */
  walk(path: string, options: WalkOptions = {}): Walked {
    try {
      return walkAlloc(this.root, path, this.guard, options);
    } catch (error) {
      throw fromSystemError(error, `cannot open "${path}"`);
    }
  }

  /** Opens what a walk has found, if `check` has nothing against it. The caller closes the descriptor. */
  open(walked: Walked, path: string, check: (object: OpenObject, path: string) => void): Readable {
    const object = foundOf(walked, path);
    check(object, path);
    try {
      return { descriptor: reopen(object.descriptor), object };
    } catch (error) {
      throw fromSystemError(error, `cannot open "${path}"`);
    }
  }

  /** Whether the guard has something against an object that was reached by its name alone, in a directory that was walked to. */
  refusal(stats: BigIntStats): Guarded | undefined {
    const root = openRoot(this.root);
    try {
      return this.guard.look(root).byObject(stats);
    } finally {
      closeSync(root.descriptor);
    }
  }

  /** Both at once. */
  openPath(path: string, check: (object: OpenObject, path: string) => void): Readable {
    const walked = this.walk(path);
    try {
      return this.open(walked, path, check);
    } finally {
      walked.close();
    }
  }
}

/** @throws DunnageError NOT_FOUND */
export function foundOf(walked: Walked, path: string): OpenObject {
  if (walked.found !== undefined) return walked.found;
  throw new DunnageError('NOT_FOUND', `no such file or directory: ${path}`);
}

/** Only what can be read without waiting for somebody else: regular files. */
export function requireFile({ stats }: OpenObject, path: string): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw new DunnageError('IS_A_DIRECTORY', `file "${path}" is a directory`);
  const kind = stats.isFIFO() ? 'fifo' : stats.isSocket() ? 'socket' : 'device';
  throw new DunnageError('INVALID_ARGUMENT', `file "${path}" is a ${kind}, which is not read`, {
    remedy: 'only regular files can be read',
  });
}

export function requireDirectory({ stats }: OpenObject, path: string): void {
  if (!stats.isDirectory()) throw new DunnageError('NOT_A_DIRECTORY', `file "${path}" is not a directory`);
}
