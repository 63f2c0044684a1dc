/**
 * Which images are block devices now. Nothing is remembered: loop devices are numbered anew after a restart of the host, and
 * anybody may detach one. So each look asks the kernel which file a device belongs to, by device and inode.
 *
 * To look, nothing is opened: whoever opens a device of a frozen pool, or closes it, waits with its writers.
 */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { SharedRun } from '../../base/shared-run.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { LoopRow, LoopStatus } from '../../native/binding.ts';
import { loadNative } from '../../native/load.ts';
import { systemCode } from '../../native/system-error.ts';
import { type ImageFolder, imageId } from './image-folder.ts';

export const LOOP_MAJOR = 7;

/** What the kernel puts behind the name of a removed file. */
const REMOVED = ' (deleted)';

/**
 * Sectors of every thin device. Files that share blocks take direct I/O in whole blocks of the file system only, so a device with smaller
 * sectors would get larger ones with its first snapshot, and what is on it could not be mounted any more.
 */
export const THIN_SECTOR_BYTES = 4096;

export interface Attachment {
  /** N of /dev/loopN. */
  readonly number: number;
  readonly id: number;
  /** It is detached when its last user closes it. */
  readonly isLeaving: boolean;
  /**
   * Not as `attach` does it: its users were cut off by force, somebody else has attached the image in another way, or has removed it.
   */
  readonly isOdd: boolean;
}

export class Attachments {
  readonly #images: ImageFolder;
  readonly #listing: SharedRun<readonly LoopRow[]> = new SharedRun(() => loadNative().listLoops());

  constructor(images: ImageFolder) {
    this.#images = images;
  }

  /** What a loop device is attached to, if it is an image of this pool. */
  async ofNumber(number: number): Promise<Attachment | undefined> {
    const backingFile = await shown(number, 'loop/backing_file');
    return backingFile === undefined ? undefined : await this.#check(number, backingFile);
  }

  /** The loop device of an image. */
  async ofId(id: number): Promise<Attachment | undefined> {
    for (const { number, backingFile } of await this.#listed()) {
      if (shownId(backingFile) !== id) continue;
      const attachment = await this.#check(number, backingFile);
      if (attachment !== undefined) return attachment;
    }
    return undefined;
  }

  async all(): Promise<readonly Attachment[]> {
    const rows = await this.#listed();
    const found = await Promise.all(rows.map(({ number, backingFile }) => this.#check(number, backingFile)));
    return found.filter((attachment) => attachment !== undefined);
  }

  /** Of the block device; 0 if it is gone. */
  async sizeBytes(number: number): Promise<number> {
    const sectors = await readFile(`/sys/block/loop${number}/size`, 'utf8').catch(() => '0');
    return Number(sectors) * 512;
  }

  async #listed(): Promise<readonly LoopRow[]> {
    try {
      return await this.#listing.ask();
    } catch (error) {
      throw fromSystemError(error, 'cannot list loop devices');
    }
  }

  /** The name of the file tells which image it might be, its device and inode whether it is. */
  async #check(number: number, backingFile: string): Promise<Attachment | undefined> {
    const id = shownId(backingFile);
    if (id === undefined) return undefined;
    if (backingFile.endsWith(REMOVED)) return await this.#checkRemoved(number, id, dirname(backingFile));
    const [image, backing] = await Promise.all([found(this.#images.pathOf(id)), found(backingFile)]);
    if (image === undefined) return undefined;
    // Attached in another mount namespace: only the device itself can say to what.
    const status = backing === undefined ? await withLoop(number, statusOf) : await shownStatus(number, backing);
    if (status === undefined) return undefined;
    if (status.backingInode !== image.ino || BigInt(status.backingDevice) !== image.dev) return undefined;
    const isOdd = status.offsetBytes !== 0 || status.readOnly || !status.directIo;
    return { number, id, isLeaving: status.autoClear, isOdd };
  }

  /** Of an image that somebody has removed under its device only the folder can be looked at. */
  async #checkRemoved(number: number, id: number, folder: string): Promise<Attachment | undefined> {
    const [own, theirs] = await Promise.all([found(this.#images.path), found(folder)]);
    if (own === undefined || own.dev !== theirs?.dev || own.ino !== theirs.ino) return undefined;
    return { number, id, isLeaving: (await shown(number, 'loop/autoclear')) === '1', isOdd: true };
  }

  /** Attaches an image. @throws DunnageError NOT_SUPPORTED if the kernel refuses direct I/O */
  async attach(id: number, image: FileHandle): Promise<number> {
    const native = loadNative();
    const loop = await native.attachLoop(image.fd, THIN_SECTOR_BYTES, false).catch((error: unknown) => {
      throw attachError(error, id);
    });
    if (!loop.directIo) await native.detachLoop(loop.descriptor, true);
    native.closeDescriptor(loop.descriptor);
    if (loop.directIo) return loop.number;
    throw new DunnageError('NOT_SUPPORTED', `device ${id} gets no direct I/O on the file system of the pool`, {
      remedy: 'put the pool on XFS or btrfs with blocks of 4096 bytes',
    });
  }

  /** `busy`: somebody has it open and it stays; with `deferred` it goes with its last user. */
  async detach(number: number, deferred: boolean): Promise<'detached' | 'deferred' | 'busy'> {
    return (await this.#withOwn(number, (device) => loadNative().detachLoop(device, deferred))) ?? 'detached';
  }

  /** Whether a device that was leaving stays. */
  async keep(number: number): Promise<boolean> {
    return (await this.#withOwn(number, (device) => loadNative().keepLoop(device))) ?? false;
  }

  /** Cuts off the users of a device. False if the kernel refuses, because a file system on it is mounted. */
  async cutOff(number: number): Promise<boolean> {
    return (await this.#withOwn(number, (device) => loadNative().emptyLoop(device))) ?? true;
  }

  async grow(number: number): Promise<void> {
    await this.#withOwn(number, (device) => loadNative().growLoop(device));
  }

  /** Undefined if the device is not of this pool (any more). What a device is attached to stays so while it is open, so it is asked then. */
  async #withOwn<T>(number: number, change: (device: number) => Promise<T>): Promise<T | undefined> {
    return await withLoop(number, async (device) => {
      return (await this.ofNumber(number)) === undefined ? undefined : await change(device);
    });
  }

  /** What was written to the device, and waits in memory, goes to the image. */
  async flush(number: number): Promise<void> {
    const device = await open(`/dev/loop${number}`, 'r+');
    try {
      await device.sync();
    } finally {
      await device.close();
    }
  }
}

/** Which image it might be. */
function shownId(backingFile: string): number | undefined {
  const name = basename(backingFile);
  return imageId(name.endsWith(REMOVED) ? name.slice(0, -REMOVED.length) : name);
}

/** Undefined if the device is gone, or attached to nothing (any more). */
async function withLoop<T>(number: number, look: (device: number) => Promise<T>): Promise<T | undefined> {
  let device: FileHandle | undefined;
  try {
    device = await open(`/dev/loop${number}`, 'r');
    return await look(device.fd);
  } catch (error) {
    if (['ENXIO', 'ENOENT', 'ENODEV'].includes(systemCode(error) ?? '')) return undefined;
    throw fromSystemError(error, `cannot look at /dev/loop${number}`);
  } finally {
    await device?.close();
  }
}

type ShownStatus = Omit<LoopStatus, 'number' | 'backingDevice'> & { readonly backingDevice: bigint | number };

/** What sysfs shows of a device that is attached to a file which was found at the path that it shows. */
async function shownStatus(number: number, { dev, ino }: BigIntStats): Promise<ShownStatus | undefined> {
  const names = ['loop/offset', 'loop/dio', 'loop/autoclear', 'ro'];
  const [offset, directIo, autoClear, readOnly] = await Promise.all(names.map((name) => shown(number, name)));
  if (offset === undefined || directIo === undefined || autoClear === undefined) return undefined;
  return {
    backingDevice: dev,
    backingInode: ino,
    offsetBytes: Number(offset),
    directIo: directIo === '1',
    autoClear: autoClear === '1',
    readOnly: readOnly === '1',
  };
}

async function shown(number: number, name: string): Promise<string | undefined> {
  const text = await readFile(`/sys/block/loop${number}/${name}`, 'utf8').catch(() => undefined);
  return text?.trimEnd();
}

async function found(path: string): Promise<BigIntStats | undefined> {
  return await stat(path, { bigint: true }).catch(() => undefined);
}

const statusOf = (device: number): Promise<LoopStatus> => loadNative().loopStatus(device);

function attachError(error: unknown, id: number): DunnageError {
  if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENODEV') {
    return new DunnageError('MISSING_DEPENDENCY', `device ${id} cannot be activated: the kernel has no loop devices`, {
      remedy: 'load them: modprobe loop',
      cause: error,
    });
  }
  return fromSystemError(error, `cannot activate device ${id}`);
}
