/**
 * The files of one alloc for those who look from outside: list, stat, read, follow. Nothing is written.
 *
 * Paths are relative to the directory of the alloc (a leading slash changes nothing). Tenants may change everything beneath it at
 * any time: each call walks by itself (`alloc-walk.ts`), past the guard of the secrets. All methods may be called at the same
 * time, and nothing is open between two calls. `alloc/logs/<task>.stdout` (and `.stderr`) is the newest file of that log, unless a
 * tenant has a file of that name.
 */
import { type BigIntStats, closeSync, createReadStream, lstat as lstatCallback, type ReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { limits } from '../../base/limits.ts';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';
import { AllocAccess, type AllocFilesOptions, foundOf, requireDirectory, requireFile } from './alloc-access.ts';
import { contentTypeOf, SNIFFED_BYTES, UNKNOWN_TYPE } from './content-type.ts';
import { namesOf, requestedNames } from './escapes.ts';
import { type FileInfo, fileInfo } from './file-info.ts';
import type { FollowEvent, FollowOptions } from './follow-event.ts';
import { followFile, watchFile } from './follow-file.ts';
import { followLogs, type LogOptions } from './follow-logs.ts';
import { LogDirectory } from './log-directory.ts';
import { LOG_DIRECTORY, type LogStream, stableLogStream } from './log-names.ts';
import { inDirectory, type OpenObject, openName, reopen } from './open-object.ts';
import { readAt } from './read-at.ts';
import { Wake } from './wake.ts';
import { WatchedPath } from './watched-path.ts';

/** No file is so long. */
const OFFSET_MAX = Number.MAX_SAFE_INTEGER - 1;

const lstat = promisify(lstatCallback) as (path: string, options: { bigint: true }) => Promise<BigIntStats>;

/** What has happened to a file: it is gone (removed, renamed, replaced), shorter than what was read of it, or changed otherwise. */
export type ChangeEvent = 'deleted' | 'truncated' | 'modified';

export class AllocFiles {
  readonly #access: AllocAccess;

  constructor(options: AllocFilesOptions) {
    this.#access = new AllocAccess(options);
  }

  /** Names of the tasks. */
  tasks(): readonly string[] {
    return this.#access.tasks();
  }

  /**
   * The entries of a directory, sorted by the bytes of their names; links are told as links. Of directories of secrets, which
   * cannot be listed themselves, and of their files no size is told.
   *
   * @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY, INVALID_PATH (`Path escapes the alloc directory`), PERMISSION_DENIED.
   */
  async list(path: string): Promise<FileInfo[]> {
    const entries: FileInfo[] = [];
    for await (const batch of this.listing(path)) entries.push(...batch);
    return entries;
  }

  /** `list` in pieces, for directories of any length. What it throws, it throws before the first piece, which may be empty. */
  async *listing(path: string): AsyncGenerator<readonly FileInfo[]> {
    const { descriptor } = this.#access.openPath(path, requireDirectory);
    try {
      const names = await readdir(inDirectory(descriptor), { encoding: 'buffer' });
      names.sort(Buffer.compare);
      let at = 0;
      do {
        const batch = names.slice(at, at + limits.fileListBatch);
        const infos = await Promise.all(batch.map((name) => this.#info(descriptor, name)));
        yield infos.filter((info) => info !== undefined);
        at += batch.length;
      } while (at < names.length);
    } catch (error) {
      throw fromSystemError(error, `cannot list "${path}"`);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Of what a path leads to, over links within the alloc; of any kind of file. @throws DunnageError like `list`. */
  async stat(path: string): Promise<FileInfo> {
    const name = requestedNames(path).at(-1) ?? namesOf(this.#access.root).at(-1) ?? '';
    const walked = this.#access.walk(await this.#target(path));
    try {
      const object = foundOf(walked, path);
      return { ...fileInfo(name, object.stats), contentType: await sniff(name, object) };
    } finally {
      walked.close();
    }
  }

  /**
   * The bytes of a regular file from an offset on, `limitBytes` at most; up to what its end is when it is read. The stream must be read
   * to its end or destroyed.
   *
   * @throws DunnageError NOT_FOUND, IS_A_DIRECTORY (`file "x" is a directory`), INVALID_ARGUMENT (a fifo, socket or device),
   * INVALID_PATH (`Path escapes the alloc directory`), PERMISSION_DENIED (`Reading secret file prohibited: <path>`).
   */
  async readAt(path: string, offset: number, limitBytes?: number): Promise<ReadStream> {
    const target = await this.#target(path);
    const { descriptor } = this.#access.openPath(target, requireFile);
    const highWaterMark = limits.fileFrameBytes;
    const start = Math.min(offset, OFFSET_MAX);
    if (limitBytes === undefined) return createReadStream('', { fd: descriptor, start, highWaterMark });
    if (limitBytes > 0) {
      const end = Math.min(start + limitBytes - 1, OFFSET_MAX);
      return createReadStream('', { fd: descriptor, start, end, highWaterMark });
    }
    // A stream names its last byte: there is no way to name none.
    closeSync(descriptor);
    return createReadStream('/dev/null');
  }

  /**
   * Resolves when something stands at the path (links are followed), perhaps at once.
   * @throws DunnageError INVALID_PATH, PERMISSION_DENIED, also later, when it turns out; the reason of the signal if that aborts first.
   */
  async blockUntilExists(path: string, signal: AbortSignal): Promise<void> {
    const wake = new Wake();
    const watched = new WatchedPath(this.#access, path, wake.call);
    try {
      for (;;) {
        signal.throwIfAborted();
        const walked = watched.walk();
        walked.close();
        if (walked.found !== undefined) return;
        await wake.wait(signal);
      }
    } finally {
      watched.close();
    }
  }

  /**
   * Tells what happens to a file, for somebody who has read it up to `offset`. Ends after `deleted`, or when the signal aborts.
   * @throws DunnageError as `readAt` does, before the first event.
   */
  changeEvents(path: string, offset: number, signal: AbortSignal): AsyncGenerator<ChangeEvent> {
    return watchFile(this.#access, path, offset, signal);
  }

  /**
   * The bytes of a file as they come, see `follow-file.ts`. A stable log name is followed over rotations.
   * @throws DunnageError as `readAt` does, and INVALID_ARGUMENT (a token), before the first event.
   */
  async *follow(path: string, options: FollowOptions): AsyncGenerator<FollowEvent> {
    const stream = this.#stableStream(path);
    if (stream === undefined) yield* followFile(this.#access, path, options);
    else yield* followLogs(this.#access, { ...options, ...stream, isNewestOnly: true });
  }

  /**
   * The logs of a task as they come, over all their files, see `follow-logs.ts`.
   * @throws DunnageError NOT_FOUND (`log entry for task "x" and log type "y" not found`), INVALID_ARGUMENT, before the first event.
   */
  logs(options: LogOptions): AsyncGenerator<FollowEvent> {
    return followLogs(this.#access, options);
  }

  /** Undefined for what is gone again. */
  async #info(directory: number, name: Buffer): Promise<FileInfo | undefined> {
    const text = name.toString();
    try {
      const path = Buffer.concat([Buffer.from(`${inDirectory(directory)}/`), name]);
      const stats = await lstat(path as unknown as string, { bigint: true });
      const info = fileInfo(text, stats);
      const isPlain = !stats.isDirectory() && stats.nlink === 1n;
      return isPlain || this.#access.refusal(stats) === undefined ? info : { ...info, sizeBytes: 0 };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The stream whose stable name this is, unless something else than the link to its newest file has that name. */
  #stableStream(path: string): LogStream | undefined {
    const names = requestedNames(path);
    const stream = stableLogStream(names, this.tasks());
    if (stream === undefined) return undefined;
    const walked = this.#access.walk(LOG_DIRECTORY);
    try {
      if (walked.found === undefined) return undefined;
      const object = openName(walked.found.descriptor, names.at(-1) ?? '');
      closeSync(object.descriptor);
      return object.stats.isSymbolicLink() ? stream : undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return stream;
      throw fromSystemError(error, `cannot open "${path}"`);
    } finally {
      walked.close();
    }
  }

  /** The path, or that of the newest log for a stable name. */
  async #target(path: string): Promise<string> {
    const stream = this.#stableStream(path);
    if (stream === undefined) return path;
    const directory = new LogDirectory(this.#access, stream, undefined);
    try {
      const files = await directory.files();
      const newest = files.reduce<(typeof files)[number] | undefined>(
        (best, file) => (best === undefined || file.index > best.index ? file : best),
        undefined,
      );
      return newest === undefined ? path : `${LOG_DIRECTORY}/${newest.name}`;
    } finally {
      directory.close();
    }
  }
}

async function sniff(name: string, { descriptor, stats }: OpenObject): Promise<string> {
  if (!stats.isFile()) return UNKNOWN_TYPE;
  let readable: number;
  try {
    readable = reopen(descriptor);
  } catch (error) {
    // A file that this user may not read has a type all the same, only nobody knows which.
    if (['EACCES', 'EPERM', 'EAGAIN'].includes(systemCode(error) ?? '')) return UNKNOWN_TYPE;
    throw fromSystemError(error, `cannot open "${name}"`);
  }
  try {
    return contentTypeOf(name, await readAt(readable, 0, SNIFFED_BYTES));
  } finally {
    closeSync(readable);
  }
}
