/**
 * The logs of a task, read onwards over all their files. The writer rotates: it begins `<task>.<type>.<n+1>` and removes the oldest. A
 * file is read to its end, through its descriptor, after the next one has appeared; indexes that are missing are passed over.
 */

import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Watch } from '../../native/inotify.ts';
import type { AllocAccess } from './alloc-access.ts';
import { type FollowEvent, type FollowOptions, isSameFile, parseToken } from './follow-event.ts';
import { event, readOn, startOf } from './follow-file.ts';
import { LogDirectory, noLog, type OpenLog } from './log-directory.ts';
import { findClosest, type LogFile, type LogPosition, type LogStream } from './log-names.ts';
import { TailReader } from './tail-reader.ts';
import { Wake } from './wake.ts';

export interface LogOptions extends FollowOptions, LogStream {
  /** Begin in the newest file, whatever the offset. */
  readonly isNewestOnly?: boolean;
}

/** As often a start is looked for while the writer removes what was found. */
const START_TRIES = 8;

/** @throws DunnageError NOT_FOUND (`log entry for task "x" and log type "y" not found`), INVALID_ARGUMENT (a token), before the first event. */
export async function* followLogs(access: AllocAccess, options: LogOptions): AsyncGenerator<FollowEvent> {
  const wake = new Wake();
  const directory = openDirectory(access, options, options.follow ? wake.call : undefined);
  let current: Followed | undefined;
  let next: OpenLog | undefined;
  try {
    const { log, lost } = await openStart(directory, options);
    current = new Followed(access, log, options.follow ? wake.call : undefined);
    yield event(log.path, log.reader, {});
    if (lost !== undefined) yield lost;
    while (!options.signal.aborted) {
      const isThere = directory.isThere();
      // Known before the reading: what was written until it appeared is read.
      next = await directory.next();
      yield* readOn(current.log.path, current.log.reader, options);
      if (options.signal.aborted) return;
      if (next !== undefined) {
        current.close();
        const following = next;
        next = undefined;
        current = new Followed(access, following, options.follow ? wake.call : undefined);
        continue;
      }
      if (!options.follow) return;
      if (!isThere) {
        yield event(current.log.path, current.log.reader, { fileEvent: 'file deleted' });
        return;
      }
      await wake.wait(options.signal, limits.fileLookMs);
    }
  } finally {
    next?.reader.close();
    current?.close();
    directory.close();
  }
}

class Followed {
  readonly log: OpenLog;
  readonly #content: Watch | undefined;

  constructor(access: AllocAccess, log: OpenLog, onChange: (() => void) | undefined) {
    this.log = log;
    try {
      this.#content = onChange && access.inotify.watchFile(log.reader.descriptor, onChange);
    } catch (error) {
      log.reader.close();
      throw error;
    }
  }

  close(): void {
    this.#content?.close();
    this.log.reader.close();
  }
}

interface Start {
  readonly log: OpenLog;
  /** What the token names is not there any more, or not as it was: something was lost. */
  readonly lost?: FollowEvent;
}

async function openStart(directory: LogDirectory, options: LogOptions): Promise<Start> {
  for (let tries = 0; tries < START_TRIES; tries += 1) {
    const start =
      options.resume === undefined ? await openWanted(directory, options) : await openResumed(directory, options);
    if (start !== undefined) return start;
  }
  throw noLog(options);
}

/** Undefined if the file was removed meanwhile. @throws DunnageError NOT_FOUND if there is no file. */
async function openWanted(directory: LogDirectory, options: LogOptions): Promise<Start | undefined> {
  const files = await directory.files();
  const position = wantedPosition(files, options);
  if (position === undefined) throw noLog(options);
  const log = directory.open(position.file.index);
  return log && { log: { ...log, reader: new TailReader(log.reader.descriptor, position.offset) } };
}

function wantedPosition(
  files: readonly LogFile[],
  { offset = 0, origin = 'start', isNewestOnly = false }: LogOptions,
): LogPosition | undefined {
  const last = Number.MAX_SAFE_INTEGER;
  if (!isNewestOnly) {
    if (origin === 'start') return findClosest(files, 0, offset);
    return findClosest(files, last, offset === 0 ? last : -offset);
  }
  const newest = findClosest(files, last, 0)?.file;
  if (newest === undefined) return undefined;
  const wanted = origin === 'start' ? offset : newest.sizeBytes - offset;
  return { file: newest, offset: Math.max(0, Math.min(newest.sizeBytes, wanted)) };
}

async function openResumed(directory: LogDirectory, options: LogOptions): Promise<Start | undefined> {
  const point = parseToken(options.resume ?? '');
  const index = indexIn(point.file, options);
  const files = (await directory.files()).sort((one, other) => one.index - other.index);
  if (files.length === 0) throw noLog(options);
  const same = files.find(({ stats }) => isSameFile(point, stats));
  const log = directory.open((same ?? files.find((file) => file.index > index) ?? (files[0] as LogFile)).index);
  if (log === undefined) return undefined;
  if (isSameFile(point, log.reader.stats())) return await resumeIn(log, options);
  return { log, lost: { ...event(log.path, log.reader, { fileEvent: 'file deleted' }), file: point.file } };
}

async function resumeIn(log: OpenLog, options: LogOptions): Promise<Start> {
  const { offset, isTruncated } = await startOf(log.reader, options);
  const reader = new TailReader(log.reader.descriptor, offset);
  const lost = isTruncated ? { lost: event(log.path, reader, { fileEvent: 'file truncated' }) } : {};
  return { log: { ...log, reader }, ...lost };
}

function indexIn(file: string, { task, type }: LogStream): number {
  const prefix = `alloc/logs/${task}.${type}.`;
  const index = file.startsWith(prefix) ? Number(file.slice(prefix.length)) : Number.NaN;
  if (Number.isSafeInteger(index)) return index;
  throw new DunnageError('INVALID_ARGUMENT', 'the resume token belongs to another log', {
    remedy: `give a token of the ${type} of task "${task}"`,
  });
}

function openDirectory(access: AllocAccess, options: LogOptions, onChange: (() => void) | undefined): LogDirectory {
  try {
    return new LogDirectory(access, options, onChange);
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') throw noLog(options);
    throw error;
  }
}
