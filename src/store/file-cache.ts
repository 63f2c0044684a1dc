/** Keeps the descriptors of the files read last open. A descriptor in use is closed only when its last reader is done. */
import { type FileHandle, open } from 'node:fs/promises';

interface CachedFile {
  readonly handle: Promise<FileHandle>;
  readers: number;
  dropped: boolean;
}

export class FileCache {
  readonly #filesMax: number;
  // A Map keeps insertion order: the first one is the one used longest ago.
  readonly #files = new Map<string, CachedFile>();

  constructor(filesMax: number) {
    this.#filesMax = filesMax;
  }

  /** Opens the file if need be (throws what open throws; `check` may refuse it) and hands its descriptor to `read`. */
  async use<T>(
    path: string,
    check: (handle: FileHandle) => Promise<void>,
    read: (handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    const file = this.#files.get(path) ?? { handle: openChecked(path, check), readers: 0, dropped: false };
    this.#files.delete(path);
    this.#files.set(path, file);
    file.readers += 1;
    this.#trim();
    try {
      return await read(await file.handle);
    } catch (error) {
      if (this.#files.get(path) === file) this.drop(path);
      throw error;
    } finally {
      file.readers -= 1;
      await closeIfDone(file);
    }
  }

  /** Forgets the file; readers that have it go on. */
  drop(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    this.#files.delete(path);
    file.dropped = true;
    if (file.readers === 0) void closeIfDone(file);
  }

  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) {
      file.dropped = true;
      await closeIfDone(file);
    }
  }

  #trim(): void {
    for (const path of this.#files.keys()) {
      if (this.#files.size <= this.#filesMax) return;
      this.drop(path);
    }
  }
}

async function openChecked(path: string, check: (handle: FileHandle) => Promise<void>): Promise<FileHandle> {
  const handle = await open(path, 'r');
  try {
    await check(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

async function closeIfDone(file: CachedFile): Promise<void> {
  if (!file.dropped || file.readers > 0) return;
  // If opening failed there is nothing to close, and the reader was told.
  const handle = await file.handle.catch(() => undefined);
  await handle?.close();
}
