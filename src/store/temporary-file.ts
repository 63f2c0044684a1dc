/** A file that is written piece by piece and gets its place when it is complete. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

/** Written pieces are flushed this often, so that the flush at the end is short and the page cache is not filled with them. */
const FLUSH_EVERY_BYTES = 32 * 1024 * 1024;

export class TemporaryFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #sizeBytes = 0;
  #unflushedBytes = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Readable by its owner only. Throws NO_SPACE, IO. */
  static async create(path: string): Promise<TemporaryFile> {
    try {
      return new TemporaryFile(path, await open(path, 'wx+', 0o600));
    } catch (error) {
      throw fromSystemError(error, 'cannot store content');
    }
  }

  /** Preconditions: the append before has resolved; `piece` does not change meanwhile. Throws NO_SPACE, IO. */
  async append(piece: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < piece.length; ) {
        const { bytesWritten } = await this.#handle.write(piece, done, piece.length - done, this.#sizeBytes);
        done += bytesWritten;
        this.#sizeBytes += bytesWritten;
      }
      this.#unflushedBytes += piece.length;
      if (this.#unflushedBytes < FLUSH_EVERY_BYTES) return;
      await this.#handle.datasync();
      this.#unflushedBytes = 0;
    } catch (error) {
      throw fromSystemError(error, 'cannot store content');
    }
  }

  /** Exactly these bytes of what was appended. Throws IO. */
  async read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(sizeBytes);
    try {
      for (let done = 0; done < sizeBytes; ) {
        const { bytesRead } = await this.#handle.read(bytes, done, sizeBytes - done, offsetBytes + done);
        if (bytesRead === 0) throw new DunnageError('IO', 'a temporary file was cut off by somebody else');
        done += bytesRead;
      }
    } catch (error) {
      throw fromSystemError(error, 'cannot read content back');
    }
    return bytes;
  }

  /** Flushes, closes and renames it. The caller flushes the folder. What fails is thrown as it is; `discard` is still to be called then. */
  async moveTo(path: string): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#path, path);
  }

  /** Removes it; does nothing to a file that was moved. */
  async discard(): Promise<void> {
    // Closing twice is no mistake, and what was written is of no use any more.
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }
}
