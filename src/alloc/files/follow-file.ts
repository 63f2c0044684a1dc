/**
 * One file, read onwards as it grows. Nothing is asked at intervals: the kernel tells of changes (inotify). Only changes through a
 * writable mapping (mmap) cause no event, for which the file is looked at again every few seconds.
 *
 * When the file goes (removed, renamed, replaced) what is left of it is read through the descriptor first; then the events end.
 */
import { limits } from '../../base/limits.ts';
import type { Watch } from '../../native/inotify.ts';
import { type AllocAccess, requireFile } from './alloc-access.ts';
import {
  type FollowEvent,
  type FollowOptions,
  formatToken,
  isSameFile,
  parseToken,
  resumePoint,
} from './follow-event.ts';
import { identityOf } from './open-object.ts';
import { TailReader } from './tail-reader.ts';
import { Wake } from './wake.ts';
import { WatchedPath } from './watched-path.ts';

/** @throws DunnageError as `AllocFiles.readAt` does, INVALID_ARGUMENT (a token), before the first event. */
export async function* followFile(
  access: AllocAccess,
  path: string,
  options: FollowOptions,
): AsyncGenerator<FollowEvent> {
  const { follow, signal } = options;
  const followed = new FollowedFile(access, path, follow);
  try {
    const reader = followed.open();
    const start = await startOf(reader, options);
    const source = new TailReader(reader.descriptor, start.offset);
    yield event(path, source, {});
    if (start.isTruncated) yield event(path, source, { fileEvent: 'file truncated' });
    while (!signal.aborted) {
      // Looked up before reading: what was written until the name went is read.
      const isThere = followed.isThere();
      yield* readOn(path, source, options);
      if (!follow || signal.aborted) return;
      if (!isThere) {
        yield event(path, source, { fileEvent: 'file deleted' });
        return;
      }
      await followed.wake.wait(signal, limits.fileLookMs);
    }
  } finally {
    followed.close();
  }
}

/** Everything up to the end of an open file. */
export async function* readOn(
  file: string,
  reader: TailReader,
  { follow, signal }: Pick<FollowOptions, 'follow' | 'signal'>,
): AsyncGenerator<FollowEvent> {
  while (!signal.aborted) {
    const next = await reader.next();
    if (next === undefined) return;
    if (next !== 'truncated') yield event(file, reader, { data: next });
    // Somebody who wants what there is, from beyond the end: nothing.
    else if (!follow) return;
    else yield event(file, reader, { fileEvent: 'file truncated' });
  }
}

export function event(file: string, reader: TailReader, what: Pick<FollowEvent, 'data' | 'fileEvent'>): FollowEvent {
  return { file, offset: reader.offset, ...what, token: formatToken(resumePoint(file, reader)) };
}

interface Start {
  readonly offset: number;
  readonly isTruncated: boolean;
}

/** Where to begin in a file that is open already. */
export async function startOf(reader: TailReader, options: FollowOptions): Promise<Start> {
  const { offset = 0, origin = 'start', resume } = options;
  if (resume === undefined) {
    const wanted = origin === 'start' ? offset : Math.max(Number(reader.stats().size) - offset, 0);
    return { offset: wanted, isTruncated: false };
  }
  const point = parseToken(resume);
  const isSame =
    isSameFile(point, reader.stats()) &&
    (await new TailReader(reader.descriptor, point.offset).continues(point.digest));
  return isSame ? { offset: point.offset, isTruncated: false } : { offset: 0, isTruncated: true };
}

class FollowedFile {
  /** Something happened to the file or on the way to it. */
  readonly wake = new Wake();
  readonly #access: AllocAccess;
  readonly #path: string;
  readonly #watched: WatchedPath | undefined;
  #content: Watch | undefined;
  #identity = '';
  #reader: TailReader | undefined;

  constructor(access: AllocAccess, path: string, isWatched: boolean) {
    this.#access = access;
    this.#path = path;
    this.#watched = isWatched ? new WatchedPath(access, path, this.wake.call) : undefined;
  }

  open(): TailReader {
    const walked = this.#watched?.walk() ?? this.#access.walk(this.#path);
    try {
      const { descriptor, object } = this.#access.open(walked, this.#path, requireFile);
      this.#reader = new TailReader(descriptor, 0);
      this.#identity = identityOf(object.stats);
      if (this.#watched !== undefined)
        this.#content = this.#access.inotify.watchFile(object.descriptor, this.wake.call);
      return this.#reader;
    } finally {
      walked.close();
    }
  }

  isThere(): boolean {
    return this.#watched?.leadsTo(this.#identity) ?? true;
  }

  close(): void {
    this.#content?.close();
    this.#watched?.close();
    this.#reader?.close();
  }
}

/** What happens to a file, for somebody who has read it up to an offset. Reads nothing of it. */
export async function* watchFile(
  access: AllocAccess,
  path: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<'deleted' | 'truncated' | 'modified'> {
  const followed = new FollowedFile(access, path, true);
  try {
    const reader = followed.open();
    let before = { size: BigInt(offset), mtimeNs: reader.stats().mtimeNs };
    while (!signal.aborted) {
      const isThere = followed.isThere();
      const { size, mtimeNs } = reader.stats();
      const past = before;
      before = { size, mtimeNs };
      if (size < past.size) yield 'truncated';
      else if (size !== past.size || mtimeNs !== past.mtimeNs) yield 'modified';
      if (!isThere) {
        yield 'deleted';
        return;
      }
      await followed.wake.wait(signal, limits.fileLookMs);
    }
  } finally {
    followed.close();
  }
}
