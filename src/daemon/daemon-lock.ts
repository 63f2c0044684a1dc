/**
 * One daemon per state directory and per runtime directory: a lock on a file in each, which the kernel gives up with the
 * process.
 *
 * A daemon that was killed while a thread of it waits in the kernel for its own mount keeps its files until that call is
 * answered, which only the next daemon can do. Its main thread is a zombie by then: such a lock is taken over.
 */
import { closeSync, constants, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
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
    const descriptor = openLock(path);
    if (loadNative().tryLock(descriptor)) return DaemonLock.#sign(descriptor);
    closeSync(descriptor);
    const holder = readHolder(path);
    if (holder === undefined || isRunning(holder)) {
      throw new DunnageError(
        'ALREADY_RUNNING',
        `another daemon${holder ? ` (pid ${holder})` : ''} uses the ${what} ${directory}`,
        {
          remedy: 'end it with: dunnage down',
        },
      );
    }
    const fresh = `${path}.${process.pid}`;
    const replacement = openLock(fresh);
    loadNative().tryLock(replacement);
    renameSync(fresh, path);
    return DaemonLock.#sign(replacement);
  }

  static #sign(descriptor: number): DaemonLock {
    writeSync(descriptor, `${process.pid}\n`.padEnd(12), 0);
    return new DaemonLock(descriptor);
  }

  release(): void {
    closeSync(this.#descriptor);
  }
}

function openLock(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw fromSystemError(error, `cannot open the lock ${path}`);
  }
}

function readHolder(path: string): number | undefined {
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** False for a process that is gone, or whose main thread has ended. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    return state !== 'Z' && state !== 'X';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
