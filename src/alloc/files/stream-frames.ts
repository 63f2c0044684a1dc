/**
 * Frames of a followed file: what comes close together travels together. The first bytes after a silence are sent at once; those that
 * come within the window after a frame wait for its end, or for a full frame. When there is nothing to tell for a while an empty frame
 * says so. Nothing is read ahead of whoever takes the frames, but one piece.
 */
import { systemClock } from '../../base/clock.ts';
import { limits } from '../../base/limits.ts';
import type { FileEvent, FollowEvent } from './follow-event.ts';

/** `{}` is a heartbeat. */
export interface StreamFrame {
  readonly file?: string;
  /** Position in the file after the bytes. */
  readonly offset?: number;
  readonly data?: Buffer;
  readonly fileEvent?: FileEvent;
  /** To go on after this frame. */
  readonly token?: string;
}

export interface FrameOptions {
  readonly windowMs?: number;
  readonly heartbeatMs?: number;
  readonly bytesMax?: number;
}

/** `events` must end when their signal aborts: while they are waited for, the frames cannot be ended otherwise. */
export async function* streamFrames(
  events: AsyncIterable<FollowEvent>,
  options: FrameOptions = {},
): AsyncGenerator<StreamFrame> {
  const { windowMs = limits.fileBatchWindowMs, heartbeatMs = limits.fileHeartbeatMs } = options;
  const batch = new Batch(options.bytesMax ?? limits.fileFrameBytes);
  const source = events[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<FollowEvent>> | undefined;
  let sentMs = systemClock.monotonicMs() - windowMs;
  try {
    for (;;) {
      pending ??= source.next();
      const next = await within(pending, sentMs + (batch.isEmpty ? heartbeatMs : windowMs));
      if (next === 'late') yield batch.isEmpty ? {} : batch.take();
      else if (next.done === true) break;
      else {
        pending = undefined;
        const frames = batch.add(next.value);
        if (frames.length === 0) continue;
        yield* frames;
      }
      sentMs = systemClock.monotonicMs();
    }
    if (!batch.isEmpty) yield batch.take();
  } catch (error) {
    // What was there before it went wrong comes first.
    if (!batch.isEmpty) yield batch.take();
    throw error;
  } finally {
    await source.return?.();
  }
}

/** Only the bytes. */
export async function* plainBytes(events: AsyncIterable<FollowEvent>): AsyncGenerator<Buffer> {
  for await (const { data } of events) if (data !== undefined) yield data;
}

async function within<T>(pending: Promise<T>, dueMs: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  // What is there already goes first, however late it is.
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, dueMs - systemClock.monotonicMs()), 'late');
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Bytes of one file that go into one frame. */
class Batch {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #sizeBytes = 0;
  #last: FollowEvent | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  /** Frames that are due by this event. */
  add(event: FollowEvent): StreamFrame[] {
    const due: StreamFrame[] = [];
    const { data, fileEvent, file, offset, token } = event;
    const fits = this.#sizeBytes + (data?.byteLength ?? 0) <= this.#bytesMax;
    if (!this.isEmpty && (fileEvent !== undefined || this.#last?.file !== file || !fits)) due.push(this.take());
    if (fileEvent !== undefined) return [...due, { file, offset, token, fileEvent }];
    if (data === undefined) return due;
    for (let rest = data; rest.byteLength > 0; ) {
      const piece = rest.subarray(0, this.#bytesMax);
      rest = rest.subarray(piece.byteLength);
      this.#pieces.push(piece);
      this.#sizeBytes += piece.byteLength;
      this.#last = { file, offset: offset - rest.byteLength, token: rest.byteLength === 0 ? token : '' };
      if (this.#sizeBytes >= this.#bytesMax) due.push(this.take());
    }
    return due;
  }

  take(): StreamFrame {
    const { file, offset, token } = this.#last as FollowEvent;
    const data = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#sizeBytes = 0;
    this.#last = undefined;
    return { file, offset, data, ...(token === '' ? {} : { token }) };
  }
}
