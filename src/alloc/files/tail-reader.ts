/**
 * Reads an open file onwards as it grows, and notices when it was cut short and has grown again meanwhile: the last bytes before
 * the offset must still stand there when the next ones are read.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync } from 'node:fs';
import { limits } from '../../base/limits.ts';
import { readAt } from './read-at.ts';

const TAIL_BYTES = 64;

export class TailReader {
  readonly descriptor: number;
  #offset: number;
  /** The last bytes before the offset, `TAIL_BYTES` if there are so many; undefined until they were read. */
  #tail: Buffer | undefined;

  /** Takes the descriptor over. */
  constructor(descriptor: number, offset: number) {
    this.descriptor = descriptor;
    this.#offset = offset;
  }

  /** Position after the bytes that were read. */
  get offset(): number {
    return this.#offset;
  }

  stats(): BigIntStats {
    return fstatSync(this.descriptor, { bigint: true });
  }

  /** What comes next, at most one frame of it; undefined at the end; `truncated` if what was read is not there any more: it begins anew then. */
  async next(): Promise<Buffer | 'truncated' | undefined> {
    const before = this.#tailBytes;
    const bytes = await readAt(this.descriptor, this.#offset - before, before + limits.fileFrameBytes);
    const isSame = bytes.byteLength >= before && (this.#tail?.equals(bytes.subarray(0, before)) ?? true);
    if (!isSame) {
      this.#offset = 0;
      this.#tail = undefined;
      return 'truncated';
    }
    this.#offset += bytes.byteLength - before;
    // A copy: the whole buffer is not to be kept for it.
    this.#tail = Buffer.from(bytes.subarray(-TAIL_BYTES));
    return bytes.byteLength === before ? undefined : bytes.subarray(before);
  }

  /** Stands for the bytes before the offset without telling them; '' if they were not read yet. */
  get digest(): string {
    return this.#tail === undefined ? '' : digestOf(this.#tail);
  }

  /** Whether the bytes before the offset are those that `digest` stood for. */
  async continues(digest: string): Promise<boolean> {
    const bytes = await readAt(this.descriptor, this.#offset - this.#tailBytes, this.#tailBytes);
    if (bytes.byteLength < this.#tailBytes) return false;
    this.#tail = bytes;
    return digest === '' || digest === this.digest;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  get #tailBytes(): number {
    return Math.min(TAIL_BYTES, this.#offset);
  }
}

function digestOf(bytes: Uint8Array): string {
  const length = 11;
  return createHash('sha256').update(bytes).digest('base64url').slice(0, length);
}
