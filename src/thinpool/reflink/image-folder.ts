/**
 * The images of a pool: `<id>.img`, one file for each thin device, whose blocks are shared with those it was cloned from.
 *
 * An image appears whole or not at all: it is made without a name and gets it when it is complete and flushed.
 */
import { closeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import type { DeviceUsage } from '../driver.ts';

const IMAGE_NAME = /^([1-9]\d{0,7}|0)\.img$/;

/** The id of an image by its file name; undefined for anything else. */
export function imageId(fileName: string): number | undefined {
  const match = IMAGE_NAME.exec(fileName);
  return match === null ? undefined : Number(match[1]);
}

export class ImageFolder {
  readonly path: string;
  readonly #directory: FileHandle;

  private constructor(path: string, directory: FileHandle) {
    this.path = path;
    this.#directory = directory;
  }

  /** Preconditions: the folder above exists. */
  static async open(path: string): Promise<ImageFolder> {
    try {
      await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      return new ImageFolder(path, await open(path, 'r'));
    } catch (error) {
      throw fromSystemError(error, `cannot open the images of the pool in ${path}`);
    }
  }

  pathOf(id: number): string {
    return join(this.path, `${id}.img`);
  }

  async ids(): Promise<readonly number[]> {
    const names = await readdir(this.path);
    return names
      .map(imageId)
      .filter((id) => id !== undefined)
      .sort((one, other) => one - other);
  }

  /** For reading and writing; the caller closes it. @throws DunnageError NOT_FOUND */
  async openImage(id: number): Promise<FileHandle> {
    try {
      return await open(this.pathOf(id), 'r+');
    } catch (error) {
      throw fromSystemError(error, `the pool has no device ${id}`);
    }
  }

  /** @throws DunnageError ALREADY_EXISTS, NO_SPACE */
  async create(id: number): Promise<void> {
    const native = loadNative();
    const file = await native.createUnnamedFile(this.#directory.fd).catch((error: unknown) => {
      throw fromSystemError(error, `cannot make device ${id}`);
    });
    await this.#name(file, id);
  }

  /**
   * Clones an image. `check` runs when the clone is complete and has no name yet; what it throws undoes it.
   * @throws DunnageError NOT_FOUND, ALREADY_EXISTS, NO_SPACE
   */
  async clone(id: number, originId: number, check: () => void): Promise<void> {
    const origin = await this.openImage(originId);
    try {
      const file = await loadNative().cloneToUnnamedFile(this.#directory.fd, origin.fd);
      try {
        check();
      } catch (error) {
        closeSync(file);
        throw error;
      }
      await this.#name(file, id);
    } catch (error) {
      throw fromSystemError(error, `cannot make device ${id} from device ${originId}`);
    } finally {
      await origin.close();
    }
  }

  async #name(file: number, id: number): Promise<void> {
    try {
      await loadNative().nameFile(file, this.#directory.fd, `${id}.img`);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EEXIST') {
        throw new DunnageError('ALREADY_EXISTS', `the pool has a device ${id} already`, { cause: error });
      }
      throw fromSystemError(error, `cannot make device ${id}`);
    } finally {
      closeSync(file);
    }
  }

  /** Its blocks are free when this resolves, unless another image shares them. @throws DunnageError NOT_FOUND */
  async remove(id: number): Promise<void> {
    const image = await this.openImage(id);
    try {
      await unlink(this.pathOf(id));
      await this.#directory.sync();
      // The kernel frees the blocks of a removed file some time later; of one that is cut off, now.
      await image.truncate(0);
    } catch (error) {
      throw fromSystemError(error, `cannot remove device ${id}`);
    } finally {
      await image.close();
    }
  }

  /** @throws DunnageError NOT_FOUND */
  async usage(id: number): Promise<DeviceUsage> {
    const image = await this.openImage(id);
    try {
      const { ownBytes, sharedBytes } = await loadNative().fileExtents(image.fd);
      return { ownBytes, sharedBytes };
    } catch (error) {
      throw fromSystemError(error, `cannot count the blocks of device ${id}`);
    } finally {
      await image.close();
    }
  }

  /** Flushes the file system they are on. */
  async sync(): Promise<void> {
    await loadNative().flushFileSystem(this.#directory.fd);
  }

  async close(): Promise<void> {
    await this.#directory.close();
  }
}
