/**
 * Large content as files: `<state-dir>/blobs/ab/cdef...`, named by digest. A file gets its name after its bytes were
 * flushed, so a name always means complete content; unfinished ones are in `blobs/tmp`.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync, unlinkSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { type Digest, toDigest } from './digest.ts';
import { FileCache } from './file-cache.ts';
import { TemporaryFile } from './temporary-file.ts';

/** Descriptors kept open for reads. */
const OPEN_FILES_MAX = 256;
const SHARD = /^[0-9a-f]{2}$/;
const REST = /^[0-9a-f]{62}$/;

/** Where the content file of a digest is. */
export function blobPath(stateDir: string, digest: Digest): string {
  const name = digest.toString('hex');
  return join(stateDir, 'blobs', name.slice(0, 2), name.slice(2));
}

/** The digest of a content file by the names of its folder and its own; undefined if it is none of ours. */
export function blobOfName(shard: string, name: string): Digest | undefined {
  return SHARD.test(shard) && REST.test(name) ? toDigest(Buffer.from(shard + name, 'hex')) : undefined;
}

/** Where a write is; tests stop the process there. */
export type WriteStep = 'temporary-created' | 'temporary-written' | 'temporary-flushed' | 'renamed' | 'folder-flushed';

export class BlobFiles {
  readonly #directory: string;
  readonly #temporaryDirectory: string;
  readonly #onStep: (step: WriteStep) => void;
  readonly #cache = new FileCache(OPEN_FILES_MAX);

  constructor(stateDir: string, onStep: (step: WriteStep) => void) {
    this.#directory = join(stateDir, 'blobs');
    this.#temporaryDirectory = join(this.#directory, 'tmp');
    this.#onStep = onStep;
    try {
      mkdirSync(this.#temporaryDirectory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fromSystemError(error, `cannot create ${this.#temporaryDirectory}`);
    }
  }

  path(digest: Digest): string {
    const name = digest.toString('hex');
    return join(this.#directory, name.slice(0, 2), name.slice(2));
  }

  /** Whether the file is there with that many bytes. */
  has(digest: Digest, sizeBytes: number): boolean {
    const status = statSync(this.path(digest), { throwIfNoEntry: false });
    return status?.isFile() === true && status.size === sizeBytes;
  }

  /** Durable when it resolves. An existing file of that name is replaced. */
  async write(digest: Digest, content: Uint8Array): Promise<void> {
    const path = this.path(digest);
    const temporary = join(this.#temporaryDirectory, randomBytes(12).toString('hex'));
    try {
      await this.#makeShard(join(path, '..'));
      await this.#writeTemporary(temporary, content);
      await rename(temporary, path);
      this.#onStep('renamed');
      await flushDirectory(join(path, '..'));
      this.#onStep('folder-flushed');
    } catch (error) {
      await rm(temporary, { force: true });
      throw fromSystemError(error, 'cannot store content');
    }
    this.#cache.drop(path);
  }

  /** A file for content of which the digest is not known yet. Throws NO_SPACE, IO. */
  createTemporary(): Promise<TemporaryFile> {
    return TemporaryFile.create(join(this.#temporaryDirectory, randomBytes(12).toString('hex')));
  }

  /** Gives the finished file its name; durable when it resolves. A file of that name is replaced. If it fails nothing is left. */
  async publish(temporary: TemporaryFile, digest: Digest): Promise<void> {
    const path = this.path(digest);
    try {
      await this.#makeShard(join(path, '..'));
      await temporary.moveTo(path);
      this.#onStep('renamed');
      await flushDirectory(join(path, '..'));
      this.#onStep('folder-flushed');
    } catch (error) {
      await temporary.discard();
      throw fromSystemError(error, 'cannot store content');
    }
    this.#cache.drop(path);
  }

  /** Makes sure that the name of an existing file is on disk. */
  async flushName(digest: Digest): Promise<void> {
    try {
      await flushDirectory(join(this.path(digest), '..'));
      await flushDirectory(this.#directory);
    } catch (error) {
      throw fromSystemError(error, 'cannot store content');
    }
  }

  /** Exactly the bytes asked for. Throws CORRUPT if the file is missing or does not have `fileSizeBytes` bytes. */
  async read(digest: Digest, fileSizeBytes: number, offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    const path = this.path(digest);
    try {
      return await this.#cache.use(
        path,
        async (handle) => {
          const { size } = await handle.stat();
          if (size !== fileSizeBytes) throw damaged(path, `has ${size} bytes instead of ${fileSizeBytes}`);
        },
        async (handle) => {
          const bytes = Buffer.allocUnsafe(sizeBytes);
          for (let done = 0; done < sizeBytes; ) {
            const { bytesRead } = await handle.read(bytes, done, sizeBytes - done, offsetBytes + done);
            if (bytesRead === 0) throw damaged(path, 'was cut off');
            done += bytesRead;
          }
          return bytes;
        },
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(path, 'is missing');
      throw fromSystemError(error, `cannot read ${path}`);
    }
  }

  /** The next read opens the file anew. */
  forget(digest: Digest): void {
    this.#cache.drop(this.path(digest));
  }

  /** Removes the file at once, if it is there. */
  removeSync(digest: Digest): void {
    const path = this.path(digest);
    this.#cache.drop(path);
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fromSystemError(error, `cannot remove ${path}`);
    }
  }

  /** Removes unfinished files; returns how many. Preconditions: no write is under way in any thread. */
  async removeTemporaries(): Promise<number> {
    const names = await readdir(this.#temporaryDirectory);
    for (const name of names) await rm(join(this.#temporaryDirectory, name), { force: true });
    return names.length;
  }

  /** Digests of all files, folder by folder. Names that are none of ours are left out. */
  async *list(): AsyncGenerator<readonly Digest[]> {
    for (const shard of await readdir(this.#directory)) {
      if (!SHARD.test(shard)) continue;
      const names = await readdir(join(this.#directory, shard));
      yield names.filter((name) => REST.test(name)).map((name) => toDigest(Buffer.from(shard + name, 'hex')));
    }
  }

  async close(): Promise<void> {
    await this.#cache.close();
  }

  async #writeTemporary(path: string, content: Uint8Array): Promise<void> {
    const handle = await open(path, 'wx', 0o600);
    try {
      this.#onStep('temporary-created');
      await handle.writeFile(content);
      this.#onStep('temporary-written');
      await handle.sync();
      this.#onStep('temporary-flushed');
    } finally {
      await handle.close();
    }
  }

  async #makeShard(directory: string): Promise<void> {
    if (await stat(directory).catch(() => undefined)) return;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await flushDirectory(this.#directory);
  }
}

async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function damaged(path: string, how: string): DunnageError {
  return new DunnageError('CORRUPT', `the content file ${path} ${how}`, {
    remedy: 'Apply the object again from its source: that writes the file anew. Check the disk if it happens again.',
  });
}
