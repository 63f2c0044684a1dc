/**
 * The images of a pool: `<id>.img`, one file for each thin device, whose blocks are shared with those it was cloned from.
 *
 * An image appears whole or not at all: it is made without a name and gets it when it is complete and flushed. Its length is noted in an
 * attribute of it, so one that somebody has cut off is known, and not filled up with zeros.
 */
import { closeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { SharedRun } from '../../base/shared-run.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { systemCode, systemError } from '../../native/system-error.ts';
import type { DeviceUsage } from '../driver.ts';

const LENGTH_ATTRIBUTE = 'user.dunnage.size_bytes';

const IMAGE_NAME = /^([1-9]\d{0,7}|0)\.img$/;

/** The id of an image by its file name; undefined for anything else. */
export function imageId(fileName: string): number | undefined {
  const match = IMAGE_NAME.exec(fileName);
  return match === null ? undefined : Number(match[1]);
}

/** A file that waits for its name. */
interface Naming {
  readonly file: number;
  readonly name: string;
  /** Of linkat(2), when it has been tried. */
  errno: number;
}

export class ImageFolder {
  readonly path: string;
  readonly #directory: FileHandle;
  #unnamed: Naming[] = [];
  /** Those who wait at the same time are flushed together. */
  readonly #naming: SharedRun<void> = new SharedRun(() => this.#nameAll());
  readonly #flush: SharedRun<void> = new SharedRun(() => this.#directory.sync());

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
        await noteLength(file, notedLength(origin.fd));
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
    const naming: Naming = { file, name: `${id}.img`, errno: 0 };
    this.#unnamed.push(naming);
    try {
      await this.#naming.ask();
    } catch (error) {
      throw fromSystemError(error, `cannot make device ${id}`);
    } finally {
      closeSync(file);
    }
    if (naming.errno === 0) return;
    const code = getSystemErrorName(-naming.errno);
    if (code === 'EEXIST') throw new DunnageError('ALREADY_EXISTS', `the pool has a device ${id} already`);
    throw fromSystemError(
      systemError(code, 'linkat', naming.name, 'an image cannot be named'),
      `cannot make device ${id}`,
    );
  }

  async #nameAll(): Promise<void> {
    const all = this.#unnamed;
    this.#unnamed = [];
    const files = all.map(({ file }) => file);
    const names = all.map(({ name }) => name);
    const errors = await loadNative().nameFiles(files, this.#directory.fd, names);
    for (const [index, naming] of all.entries()) naming.errno = errors[index] ?? 0;
  }

  /**
   * Whether an image has the size of its device; otherwise it is to be lengthened.
   * @throws DunnageError CORRUPT if somebody has cut it off, INVALID_ARGUMENT if it would become shorter
   */
  async fits(id: number, image: FileHandle, sizeBytes: number): Promise<boolean> {
    const { size } = await image.stat();
    const notedBytes = notedLength(image.fd);
    if (size < notedBytes) {
      throw new DunnageError('CORRUPT', `the image of device ${id} had ${notedBytes} bytes and has only ${size}`, {
        remedy: `somebody has cut off ${this.pathOf(id)}: copy what is left of it, and remove the device`,
      });
    }
    if (size > sizeBytes) {
      throw new DunnageError('INVALID_ARGUMENT', `device ${id} has ${size} bytes: it cannot be made smaller`);
    }
    return size === sizeBytes;
  }

  /** @throws DunnageError NO_SPACE */
  async lengthen(id: number, image: FileHandle, sizeBytes: number): Promise<void> {
    try {
      await image.truncate(sizeBytes);
      await noteLength(image.fd, sizeBytes);
    } catch (error) {
      throw fromSystemError(error, `cannot give device ${id} its size`);
    }
  }

  /** Gives back all its blocks. */
  async empty(image: FileHandle): Promise<void> {
    const { size } = await image.stat();
    await noteLength(image.fd, 0);
    await image.truncate(0);
    await image.truncate(size);
    await noteLength(image.fd, size);
  }

  /** Its blocks are free when this resolves, unless another image shares them. @throws DunnageError NOT_FOUND */
  async remove(id: number): Promise<void> {
    const image = await this.openImage(id);
    try {
      await unlink(this.pathOf(id));
      await this.#flush.ask();
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

/** 0 if nothing is noted: it was never active. */
function notedLength(image: number): number {
  try {
    return Number(loadNative().getXattr(image, LENGTH_ATTRIBUTE).toString());
  } catch (error) {
    if (systemCode(error) === 'ENODATA') return 0;
    throw error;
  }
}

async function noteLength(image: number, sizeBytes: number): Promise<void> {
  await loadNative().setXattrInPool(image, LENGTH_ATTRIBUTE, Buffer.from(String(sizeBytes)));
}
