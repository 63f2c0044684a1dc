/**
 * The file API of a daemon, for the command line and for users of the library. Besides what the methods of `AllocFiles` throw each of
 * them throws UNREACHABLE, PERMISSION_DENIED or TIMED_OUT if the daemon cannot be asked.
 */
import type { LogType } from '../alloc/files/log-names.ts';
import type { StreamFrame } from '../alloc/files/stream-frames.ts';
import { exchange } from './http-exchange.ts';
import { download } from './http-streams.ts';
import { decodeFrames, type FileInfoJson } from './stream-frame-json.ts';

/** A daemon that says nothing for this long is taken for dead; followers hear something every second. */
const SILENCE_MS_MAX = 120_000;

export interface StreamRequest {
  /** Bytes from the origin. */
  readonly offset?: number;
  readonly origin?: 'start' | 'end';
  readonly follow?: boolean;
  /** Token of an earlier frame; takes the place of offset and origin. */
  readonly resume?: string | undefined;
  /** Ends the frames. */
  readonly signal?: AbortSignal | undefined;
}

type Parameters = Readonly<Record<string, string | undefined>>;

export class AllocFilesClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  list(allocId: string, path: string): Promise<readonly FileInfoJson[]> {
    return this.#ask('ls', allocId, { path }) as Promise<readonly FileInfoJson[]>;
  }

  stat(allocId: string, path: string): Promise<FileInfoJson> {
    return this.#ask('stat', allocId, { path }) as Promise<FileInfoJson>;
  }

  /** Bytes of a file; all of them without a limit. To be read to the end, or left. */
  async *read(allocId: string, path: string, offset = 0, limitBytes?: number): AsyncGenerator<Uint8Array> {
    const limit = limitBytes === undefined ? undefined : String(limitBytes);
    yield* this.#open('readat', allocId, { path, offset: String(offset), limit });
  }

  /** Frames of a file, each with a token. */
  async *stream(allocId: string, path: string, options: StreamRequest): AsyncGenerator<StreamFrame> {
    const parameters = { path, ...parametersOf(options) };
    yield* decodeFrames(this.#open('stream', allocId, parameters, options.signal));
  }

  /** Frames of the logs of a task, each with a token. */
  async *logs(allocId: string, task: string, type: LogType, options: StreamRequest): AsyncGenerator<StreamFrame> {
    const parameters = { task, type, ...parametersOf(options) };
    yield* decodeFrames(this.#open('logs', allocId, parameters, options.signal));
  }

  #ask(operation: string, allocId: string, parameters: Parameters): Promise<unknown> {
    const path = pathOf(operation, allocId, parameters);
    return exchange({ socketPath: this.#socketPath, method: 'GET', path, silenceMsMax: SILENCE_MS_MAX });
  }

  async *#open(
    operation: string,
    allocId: string,
    parameters: Parameters,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const path = pathOf(operation, allocId, parameters);
    try {
      const asked = { socketPath: this.#socketPath, path, silenceMsMax: SILENCE_MS_MAX, signal };
      yield* (await download(asked)).content;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }
}

function parametersOf({ offset = 0, origin = 'start', follow = false, resume }: StreamRequest): Parameters {
  return { offset: String(offset), origin, follow: String(follow), tokens: 'true', resume };
}

function pathOf(operation: string, allocId: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return `/v1/client/fs/${operation}/${encodeURIComponent(allocId)}?${query}`;
}
