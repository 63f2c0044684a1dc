/** Frames of a followed file on their way to standard output, no faster than it takes them; and the last lines of a file. */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { StreamFrame } from '../alloc/files/stream-frames.ts';
import { systemClock } from '../base/clock.ts';
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { StreamRequest } from '../server/alloc-files-client.ts';
import { encodeFrame } from '../server/stream-frame-json.ts';

export type OpenFrames = (request: StreamRequest) => AsyncIterable<StreamFrame>;

export interface LastLines {
  readonly data: Buffer;
  /** To go on after them; undefined if there was nothing. */
  readonly token: string | undefined;
}

/** As much of the end is looked through for lines, at first and at most. */
const LOOK_BYTES = 65_536;
const LOOK_BYTES_MAX = 33_554_432;
const LOOK_FACTOR = 8;
const NEWLINE = 0x0a;
/** A daemon that is gone is asked for again so often; there is no event for the beginning of another. */
const RETRY_MS = 200;

/** The last lines of what `open` gives, or as many as are in the last 32 MiB. A last line without its end counts. */
export async function lastLines(open: OpenFrames, lines: number, signal: AbortSignal): Promise<LastLines> {
  for (let lookBytes = LOOK_BYTES; ; lookBytes *= LOOK_FACTOR) {
    const chunks: Buffer[] = [];
    let token: string | undefined;
    for await (const frame of open({ offset: lookBytes, origin: 'end', signal })) {
      if (frame.data !== undefined) chunks.push(frame.data);
      token = frame.token ?? token;
    }
    const data = Buffer.concat(chunks);
    const start = startOfLines(data, lines);
    if (start > 0 || data.length < lookBytes || lookBytes >= LOOK_BYTES_MAX) {
      return { data: data.subarray(start), token };
    }
  }
}

/** Where the last lines begin; 0 if there are no more. */
export function startOfLines(data: Buffer, lines: number): number {
  // The end of the last line is not the beginning of another.
  let at = data.at(-1) === NEWLINE ? data.length - 1 : data.length;
  if (at === 0) return 0;
  for (let count = 0; count < lines; count += 1) {
    at = data.lastIndexOf(NEWLINE, at - 1);
    if (at <= 0) return at === 0 && count + 1 === lines ? 1 : 0;
  }
  return at + 1;
}

/** Where output goes. */
export interface Output {
  /** One line of JSON for each frame instead of the bytes. */
  readonly json: boolean;
  readonly stream: NodeJS.WritableStream;
  /** For what is no content: events of the file. */
  say(text: string): void;
}

/**
 * Writes frames until they end. Resolves to the token of the last one. If the daemon goes in the middle, the next one is waited for,
 * and asked for what follows the last frame: nothing is lost or repeated.
 */
export async function writeFrames(
  open: OpenFrames,
  request: StreamRequest & { readonly signal: AbortSignal },
  output: Output,
): Promise<string | undefined> {
  let token = request.resume;
  let lostMs: number | undefined;
  for (;;) {
    try {
      for await (const frame of open({ ...request, resume: token })) {
        if (lostMs !== undefined) output.say('the next daemon goes on\n');
        lostMs = undefined;
        token = frame.token ?? token;
        await writeFrame(frame, output);
      }
      return token;
    } catch (error) {
      const isGone = error instanceof DunnageError && error.code === 'UNREACHABLE';
      if (request.follow !== true || !isGone || request.signal.aborted) throw error;
      if (lostMs === undefined) output.say('the daemon is gone; waiting for the next one\n');
      lostMs ??= systemClock.monotonicMs();
      if (systemClock.monotonicMs() - lostMs > limits.takeoverTimeoutSeconds * 1000) throw error;
      await pause(RETRY_MS, undefined, { signal: request.signal }).catch(() => undefined);
      if (request.signal.aborted) return token;
    }
  }
}

async function writeFrame(frame: StreamFrame, output: Output): Promise<void> {
  if (frame.file === undefined) return;
  if (output.json) await write(output.stream, `${encodeFrame(frame, true)}\n`);
  else if (frame.data !== undefined) await write(output.stream, frame.data);
  else if (frame.fileEvent !== undefined) output.say(`${frame.file}: ${frame.fileEvent}\n`);
}

export async function write(stream: NodeJS.WritableStream, chunk: string | Uint8Array): Promise<void> {
  if (!stream.write(chunk)) await once(stream, 'drain');
}
