/**
 * Several files in one body (`application/vnd.dunnage.files`): for each a line of JSON, then exactly `sizeBytes` bytes of content.
 *
 *   {"path": "tls/tls.crt", "mode": 420, "sizeBytes": 1679}\n<1679 bytes>{"path": ...
 *
 * Keys: path, sizeBytes; mode, uid, gid (all numbers) may be missing. The body may be of any length, and is never held in memory.
 */
import { Ajv } from 'ajv';
import { DunnageError } from '../errors/dunnage-error.ts';
import { MODE_MAX, OWNER_ID_MAX, shown } from '../projection/path-rules.ts';
import type { SizedFile } from './operations.ts';

export const FILES_TYPE = 'application/vnd.dunnage.files';

/** A path of 4096 bytes in JSON's longest spelling fits. */
const LINE_BYTES_MAX = 32 * 1024;
const NEWLINE = 0x0a;

type Head = Omit<SizedFile, 'content'>;

const OWNER = { type: 'integer', minimum: 0, maximum: OWNER_ID_MAX };
const isHead = new Ajv({ strict: true }).compile<Head>({
  type: 'object',
  required: ['path', 'sizeBytes'],
  additionalProperties: false,
  properties: {
    path: { type: 'string' },
    sizeBytes: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    mode: { type: 'integer', minimum: 0, maximum: MODE_MAX },
    uid: OWNER,
    gid: OWNER,
  },
});

/** Throws INVALID_ARGUMENT if a content is not as long as was said, and what a content throws. */
export async function* encodeFiles(files: AsyncIterable<SizedFile>): AsyncGenerator<Uint8Array> {
  for await (const { content, ...head } of files) {
    yield Buffer.from(`${JSON.stringify(head)}\n`);
    let sizeBytes = 0;
    for await (const chunk of content) {
      sizeBytes += chunk.length;
      if (sizeBytes > head.sizeBytes) break;
      yield chunk;
    }
    if (sizeBytes === head.sizeBytes) continue;
    throw new DunnageError('INVALID_ARGUMENT', `"${shown(head.path)}" changed its size while it was read`, {
      remedy: 'repeat the command when nobody writes to the file',
    });
  }
}

/** Each content has to be read to its end before the next file is asked for. Throws INVALID_ARGUMENT, and what `chunks` throws. */
export async function* decodeFiles(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SizedFile> {
  const input = new Input(chunks[Symbol.asyncIterator]());
  for (;;) {
    const line = await input.line();
    if (line === undefined) return;
    const head = parseHead(line);
    let leftBytes = head.sizeBytes;
    const content = async function* (): AsyncGenerator<Uint8Array> {
      while (leftBytes > 0) {
        const chunk = await input.take(leftBytes);
        leftBytes -= chunk.length;
        yield chunk;
      }
    };
    yield { ...head, content: content() };
    if (leftBytes > 0) throw new DunnageError('INTERNAL', 'a file was not read to its end');
  }
}

function parseHead(line: Buffer): Head {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch {
    throw wrong('a head is not JSON');
  }
  if (!isHead(value)) throw wrong('a head has a wrong field');
  return value;
}

function wrong(reason: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', `the files in the body cannot be read: ${reason}`);
}

/** Bytes as they are needed: up to the end of a line, or so many of a content. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks;
  }

  /** Without its newline; undefined at the end. */
  async line(): Promise<Buffer | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end >= 0) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > LINE_BYTES_MAX) throw wrong('a head is too long');
      const chunk = await this.#next();
      if (chunk === undefined && this.#rest.length === 0) return undefined;
      if (chunk === undefined) throw wrong('it ends within a head');
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    }
  }

  /** At least one byte, at most so many. */
  async take(bytesMax: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const chunk = await this.#next();
      if (chunk === undefined) throw wrong('it ends within a file');
      this.#rest = chunk;
    }
    const taken = this.#rest.subarray(0, bytesMax);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async #next(): Promise<Buffer | undefined> {
    const { done, value } = await this.#chunks.next();
    return done === true ? undefined : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}
