/** Starts `dunnage-holder` so that it outlives this process, and waits until it takes connections. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Log } from '../base/log.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';

export interface HolderStart {
  readonly programPath: string;
  /** Absolute, in a directory that exists; at most 107 bytes. */
  readonly socketPath: string;
  /** How long the holder waits for a daemon before it aborts the connections and unmounts. */
  readonly timeoutSeconds: number;
  /** What it unmounts then. */
  readonly mountPoint: string;
  readonly log: Log;
}

const START_TIMEOUT_MS = 5_000;
/** Between bind(2), which the watcher sees, and listen(2), which nothing tells of. */
const LISTEN_GAP_MS = 1;
const DIAGNOSIS_BYTES_MAX = 2_000;

/** @throws DunnageError IO if the program cannot be run or ends at once (its own words are in the message), TIMED_OUT */
export async function startHolder(start: HolderStart): Promise<void> {
  const { programPath, socketPath, timeoutSeconds, mountPoint, log } = start;
  const waiting = new HolderWait(socketPath);
  try {
    const holder = spawn(programPath, [socketPath, String(timeoutSeconds), mountPoint], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await waiting.until(holder);
    holder.stderr?.destroy();
    holder.unref();
    log.info({ holderPid: holder.pid }, 'holder started');
  } finally {
    waiting.close();
  }
}

/** Watches for the socket from before the start on, so that no event is missed. */
class HolderWait {
  readonly #socketPath: string;
  readonly #watcher: FSWatcher;
  #onEvent: () => void = () => undefined;
  #retry: NodeJS.Timeout | undefined = undefined;
  #bound: NodeJS.Timeout | undefined = undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
    try {
      this.#watcher = watch(dirname(socketPath), (_event, name) => {
        if (name === basename(socketPath)) this.#onEvent();
      });
    } catch (error) {
      throw fromSystemError(error, `cannot watch ${dirname(socketPath)}`);
    }
  }

  until(holder: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      let said = '';
      holder.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-DIAGNOSIS_BYTES_MAX);
      });
      const attempt = (): void => {
        clearTimeout(this.#retry);
        try {
          if (canConnect(this.#socketPath)) resolve();
          else this.#retry = setTimeout(attempt, LISTEN_GAP_MS);
        } catch (error) {
          reject(error);
        }
      };
      this.#onEvent = attempt;
      this.#watcher.on('error', (error) => reject(fromSystemError(error, 'cannot watch for the holder')));
      holder.on('error', (error) => reject(fromSystemError(error, 'cannot run the holder')));
      holder.on('close', (code, signal) => {
        const end = signal ?? `exit code ${code}`;
        reject(new DunnageError('IO', `the holder ended at its start (${end}): ${said.trim() || 'it said nothing'}`));
      });
      this.#bound = setTimeout(() => {
        holder.kill('SIGKILL');
        reject(
          new DunnageError(
            'TIMED_OUT',
            `the holder did not listen at ${this.#socketPath} within ${START_TIMEOUT_MS} ms`,
          ),
        );
      }, START_TIMEOUT_MS);
    });
  }

  close(): void {
    this.#onEvent = () => undefined;
    this.#watcher.close();
    clearTimeout(this.#retry);
    clearTimeout(this.#bound);
  }
}

function canConnect(socketPath: string): boolean {
  const native = loadNative();
  try {
    native.closeDescriptor(native.connectSeqpacket(socketPath));
    return true;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false;
    throw fromSystemError(error, `cannot connect to the holder at ${socketPath}`);
  }
}
