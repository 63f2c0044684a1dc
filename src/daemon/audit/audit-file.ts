/**
 * `<state-dir>/audit.log`: JSON lines, appended. A file that has reached its size is flushed and becomes `audit.log.1`, the one
 * before that `audit.log.2`, and so on; the oldest is removed.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { fromSystemError } from '../../errors/dunnage-error.ts';

export interface AuditFileOptions {
  readonly path: string;
  readonly sizeBytesMax: number;
  /** Files beside the one that is written to. */
  readonly olderFiles: number;
}

const MODE = 0o600;

export class AuditFile {
  readonly #options: AuditFileOptions;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  #isFlushed = true;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  /** Whole lines, with the last line break. What is thrown leaves them unwritten, but for a cut line, which is ended by the next. */
  async append(lines: string): Promise<void> {
    const { path, sizeBytesMax } = this.#options;
    const bytes = Buffer.from(lines);
    try {
      let handle = await this.#open();
      if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > sizeBytesMax) handle = await this.#rotate(handle);
      this.#isFlushed = false;
      await handle.appendFile(bytes);
      this.#sizeBytes += bytes.length;
    } catch (error) {
      // Opened again it is looked at again, also for a line that was cut.
      await this.#close();
      throw fromSystemError(error, `cannot write the audit log ${path}`);
    }
  }

  /** What was appended is on disk when it resolves. */
  async flush(): Promise<void> {
    if (this.#isFlushed || this.#handle === undefined) return;
    this.#isFlushed = true;
    try {
      await this.#handle.datasync();
    } catch (error) {
      this.#isFlushed = false;
      throw fromSystemError(error, `cannot flush the audit log ${this.#options.path}`);
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#close();
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const handle = await open(this.#options.path, flags, MODE);
    this.#handle = handle;
    await handle.chmod(MODE);
    this.#sizeBytes = (await handle.stat()).size;
    if (this.#sizeBytes === 0) return handle;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, this.#sizeBytes - 1);
    if (buffer.toString() === '\n') return handle;
    // A daemon died in the middle of a line.
    await handle.appendFile('\n');
    this.#sizeBytes += 1;
    return handle;
  }

  async #rotate(handle: FileHandle): Promise<FileHandle> {
    const { path, olderFiles } = this.#options;
    await handle.datasync();
    await this.#close();
    const names = [path, ...Array.from({ length: olderFiles }, (_, index) => `${path}.${index + 1}`)];
    await rm(names.at(-1) as string, { force: true });
    for (let index = names.length - 2; index >= 0; index -= 1) {
      await renameIfThere(names[index] as string, names[index + 1] as string);
    }
    return await this.#open();
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
