/** Frames of a followed file on their way to standard output, no faster than it takes them; and the last lines of a file. */
import { once } from 'node:events';
import type { StreamFrame } from '../alloc/files/stream-frames.ts';
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

/** Writes frames until they end. Resolves to the token of the last one. */
export async function writeFrames(frames: AsyncIterable<StreamFrame>, output: Output): Promise<string | undefined> {
  let token: string | undefined;
  for await (const frame of frames) {
    token = frame.token ?? token;
    if (frame.file === undefined) continue;
    if (output.json) await write(output.stream, `${encodeFrame(frame, true)}\n`);
    else if (frame.data !== undefined) await write(output.stream, frame.data);
    else if (frame.fileEvent !== undefined) output.say(`${frame.file}: ${frame.fileEvent}\n`);
  }
  return token;
}

export async function write(stream: NodeJS.WritableStream, chunk: string | Uint8Array): Promise<void> {
  if (!stream.write(chunk)) await once(stream, 'drain');
}
