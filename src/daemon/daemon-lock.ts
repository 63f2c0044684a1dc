/**
 * One daemon per state directory and per runtime directory: a lock on a file in each, which the kernel gives up with the
 * process.
 *
 * A daemon that was killed while a thread of it waits in the kernel for its own mount keeps its files until that call is
 * answered, which only the next daemon can do. Its main thread is a zombie by then: such a lock is taken over, by putting
 * a new file in the place of the locked one. So that nobody locks a file that is being replaced, and no two replace it,
 * whoever wants the lock holds `lock.guard` for that moment.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { lockPath } from './runtime-files.ts';

export class DaemonLock {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Throws ALREADY_RUNNING, naming the process that holds it. */
  static acquire(directory: string, what: string): DaemonLock {
    const path = lockPath(directory);
    const descriptor = guarded(path, () => tryAcquire(path) ?? takeOver(path));
    if (descriptor !== undefined) return new DaemonLock(descriptor);
    const holder = readHolder(path);
    throw new DunnageError(
      'ALREADY_RUNNING',
      `another daemon${holder !== undefined && isRunning(holder) ? ` (pid ${holder})` : ''} uses the ${what} ${directory}`,
      {
        remedy: 'end it with: dunnage down',
      },
    );
  }

  release(): void {
    closeSync(this.#descriptor);
  }
}

/** Runs the attempt as the only one of this moment; undefined if another daemon is making one: it will be the one. */
function guarded(path: string, attempt: () => number | undefined): number | undefined {
  const guard = openLock(`${path}.guard`);
  try {
    return loadNative().tryLock(guard) ? attempt() : undefined;
  } finally {
    closeSync(guard);
  }
}

/** The descriptor of the locked and signed file; undefined if somebody else holds it. */
function tryAcquire(path: string): number | undefined {
  const descriptor = openLock(path);
  if (loadNative().tryLock(descriptor)) return sign(descriptor);
  closeSync(descriptor);
  return undefined;
}

/** Replaces the file of a process whose main thread has ended; undefined if its holder lives. */
function takeOver(path: string): number | undefined {
  const holder = readHolder(path);
  if (holder === undefined || isRunning(holder)) return undefined;
  const freshPath = `${path}.new`;
  rmSync(freshPath, { force: true });
  const fresh = tryAcquire(freshPath);
  if (fresh !== undefined) renameSync(freshPath, path);
  return fresh;
}

function sign(descriptor: number): number {
  writeSync(descriptor, `${process.pid}\n`.padEnd(12), 0);
  return descriptor;
}

function openLock(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw fromSystemError(error, `cannot open the lock ${path}`);
  }
}

/** Undefined if there is no file yet, or nobody has signed it. */
function readHolder(path: string): number | undefined {
  const pid = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : Number.NaN;
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** False for a process that is gone, or whose main thread has ended. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    return state !== 'Z' && state !== 'X';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ESRCH: it went while it was looked at.
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    throw error;
  }
}
