/**
 * The files of one log stream, in the order of their indexes. While it is watched, new ones are opened at the moment they appear, so that
 * a writer which rotates faster than somebody reads takes nothing away that was seen; beyond a bound they are found when it is their turn.
 */
import { type BigIntStats, closeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { limits } from '../../base/limits.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { IN_CREATE, IN_MOVED_TO, IN_Q_OVERFLOW, type Watch } from '../../native/inotify.ts';
import { systemCode } from '../../native/system-error.ts';
import { type AllocAccess, requireDirectory } from './alloc-access.ts';
import { LOG_DIRECTORY, type LogFile, type LogStream, logFileName, logIndex } from './log-names.ts';
import { identityOf, inDirectory, openName, reopen } from './open-object.ts';
import { TailReader } from './tail-reader.ts';
import { WatchedPath } from './watched-path.ts';

export interface OpenLog {
  readonly index: number;
  /** Path within the alloc. */
  readonly path: string;
  readonly reader: TailReader;
}

export interface LogEntry extends LogFile {
  readonly stats: BigIntStats;
}

export class LogDirectory {
  readonly #access: AllocAccess;
  readonly #stream: LogStream;
  readonly #descriptor: number;
  readonly #identity: string;
  readonly #way: WatchedPath | undefined;
  readonly #names: Watch | undefined;
  readonly #onChange: () => void;
  /** Opened ahead, by rising index. */
  readonly #ahead: OpenLog[] = [];
  /** Others were not opened ahead, or perhaps not even told of: the directory is read again when these are through. */
  #hasMore = true;
  #reached = -1;

  /** `onChange`: there may be a next file, or the directory is not there any more. Undefined: nothing is watched. */
  constructor(access: AllocAccess, stream: LogStream, onChange: (() => void) | undefined) {
    this.#access = access;
    this.#stream = stream;
    this.#onChange = onChange ?? (() => undefined);
    this.#way = onChange === undefined ? undefined : new WatchedPath(access, LOG_DIRECTORY, onChange);
    try {
      const walked = this.#way?.walk() ?? access.walk(LOG_DIRECTORY);
      try {
        const { descriptor, object } = access.open(walked, LOG_DIRECTORY, requireDirectory);
        this.#descriptor = descriptor;
        this.#identity = identityOf(object.stats);
      } finally {
        walked.close();
      }
      this.#names =
        this.#way && access.inotify.watchDirectory(this.#descriptor, (mask, name) => this.#told(mask, name));
    } catch (error) {
      this.#way?.close();
      throw error;
    }
  }

  /** All that there are now, in no order. */
  async files(): Promise<LogEntry[]> {
    const names = await readdir(inDirectory(this.#descriptor));
    return names.map((name) => this.#look(name)).filter((file) => file !== undefined);
  }

  /** The file of that index; undefined if it is gone. It is closed by whoever gets it. */
  open(index: number): OpenLog | undefined {
    this.#reached = Math.max(this.#reached, index);
    return this.#open(index);
  }

  /** The next file after the last that was opened; indexes that are missing are passed over. */
  async next(): Promise<OpenLog | undefined> {
    while (this.#ahead.length === 0 && this.#hasMore) {
      // Before the look: what appears meanwhile is told.
      this.#hasMore = this.#way === undefined;
      const files = (await this.files()).filter(({ index }) => index > this.#reached);
      if (files.length === 0) break;
      files.sort((one, other) => one.index - other.index);
      for (const { index } of files) this.#openAhead(index);
      if (this.#way === undefined) break;
    }
    const next = this.#ahead.shift();
    if (next !== undefined) this.#reached = next.index;
    return next;
  }

  /** Whether alloc/logs is still this directory. */
  isThere(): boolean {
    return this.#way?.leadsTo(this.#identity) ?? true;
  }

  close(): void {
    this.#names?.close();
    this.#way?.close();
    for (const { reader } of this.#ahead.splice(0)) reader.close();
    closeSync(this.#descriptor);
  }

  #told(mask: number, name: string | undefined): void {
    if ((mask & IN_Q_OVERFLOW) !== 0) this.#hasMore = true;
    else {
      const index = (mask & (IN_CREATE | IN_MOVED_TO)) === 0 ? undefined : logIndex(name ?? '', this.#stream);
      if (index === undefined || index <= this.#reached) return;
      try {
        // Where some are missing already, one behind them would be taken for the next.
        if (!this.#hasMore) this.#openAhead(index);
      } catch {
        // Said when it is its turn: then it is opened again.
        this.#hasMore = true;
      }
    }
    this.#onChange();
  }

  #openAhead(index: number): void {
    if (this.#ahead.some((log) => log.index === index)) return;
    const log = this.#open(index);
    if (log === undefined) return;
    this.#ahead.push(log);
    this.#ahead.sort((one, other) => one.index - other.index);
    if (this.#ahead.length <= limits.logFilesAhead) return;
    this.#hasMore = true;
    this.#ahead.pop()?.reader.close();
  }

  #open(index: number): OpenLog | undefined {
    const name = logFileName(this.#stream, index);
    const object = this.#find(name);
    if (object === undefined) return undefined;
    try {
      return { index, path: `${LOG_DIRECTORY}/${name}`, reader: new TailReader(reopen(object.descriptor), 0) };
    } catch (error) {
      throw fromSystemError(error, `cannot open "${LOG_DIRECTORY}/${name}"`);
    } finally {
      closeSync(object.descriptor);
    }
  }

  #look(name: string): LogEntry | undefined {
    const index = logIndex(name, this.#stream);
    const object = index === undefined ? undefined : this.#find(name);
    if (index === undefined || object === undefined) return undefined;
    closeSync(object.descriptor);
    return { name, index, sizeBytes: Number(object.stats.size), stats: object.stats };
  }

  #isLog(stats: BigIntStats): boolean {
    return stats.isFile() && this.#access.refusal(stats) === undefined;
  }

  /** Nothing for a link, a fifo, a secret under the name of a log. */
  #find(name: string): ReturnType<typeof openName> | undefined {
    let object: ReturnType<typeof openName>;
    try {
      object = openName(this.#descriptor, name);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw fromSystemError(error, `cannot open "${LOG_DIRECTORY}/${name}"`);
    }
    if (this.#isLog(object.stats)) return object;
    closeSync(object.descriptor);
    return undefined;
  }
}

/** @throws DunnageError NOT_FOUND in the words of the reference */
export function noLog({ task, type }: LogStream): DunnageError {
  return new DunnageError('NOT_FOUND', `log entry for task "${task}" and log type "${type}" not found`);
}
