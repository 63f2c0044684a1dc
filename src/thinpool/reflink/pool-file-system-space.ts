/**
 * What the pool's file system has, and how much of it may be promised to devices: each must be able to fill up, also if nothing of it is
 * shared any more and every block of it lies somewhere else.
 */
import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import type { PoolStatus } from '../driver.ts';
import type { ImageFolder } from './image-folder.ts';
import type { PoolMarker } from './pool-marker.ts';
import type { MountedPlace } from './pool-place.ts';

/** f_type of statfs(2). */
const BTRFS = 0x9123683e;
/**
 * Part of the data that goes into describing where it lies, at worst: XFS needs up to 32 bytes for a block of 4 KiB (half-filled
 * nodes of a tree with 16 bytes for each), btrfs an item with a checksum, its back reference, and a second copy of both.
 */
const XFS_METADATA_SHARE = 0.01;
const BTRFS_METADATA_SHARE = 0.1;

/** What it had in use for itself when the pool was made, and how large it was. */
export type EmptyFileSystem = Pick<PoolMarker, 'overheadBytes' | 'totalBytes'>;

export type SpaceFigures = Pick<PoolStatus, 'dataUsedBytes' | 'dataTotalBytes' | 'promisableBytes'>;

export class PoolFileSystemSpace {
  readonly #place: MountedPlace;
  readonly #images: ImageFolder;
  readonly #empty: EmptyFileSystem;

  constructor(place: MountedPlace, images: ImageFolder, empty: EmptyFileSystem) {
    this.#place = place;
    this.#images = images;
    this.#empty = empty;
  }

  /** A file system that is frozen is not waited for: its figures may be a little old. */
  async figures(isFrozen: boolean): Promise<SpaceFigures> {
    try {
      const { type, bsize, blocks, bfree, bavail } = await this.#statistics(isFrozen);
      const dataTotalBytes = blocks * bsize;
      const backingBytes = this.#place.isOwnFileSystem
        ? dataTotalBytes - this.#overheadBytes(dataTotalBytes)
        : bavail * bsize + (await this.#ownBytes());
      const share = type === BTRFS ? BTRFS_METADATA_SHARE : XFS_METADATA_SHARE;
      const promisableBytes = Math.max(0, Math.floor(backingBytes * (1 - share)));
      return { dataUsedBytes: (blocks - bfree) * bsize, dataTotalBytes, promisableBytes };
    } catch (error) {
      throw fromSystemError(error, `cannot look at the pool in ${this.#place.path}`);
    }
  }

  /** A file system that has become larger needs more for itself. */
  #overheadBytes(dataTotalBytes: number): number {
    const { overheadBytes, totalBytes = dataTotalBytes } = this.#empty;
    return Math.ceil(overheadBytes * Math.max(1, dataTotalBytes / totalBytes));
  }

  async #statistics(isFrozen: boolean): Promise<StatsFs> {
    const statistics = await statfs(this.#place.path);
    if (statistics.type !== BTRFS || isFrozen) return statistics;
    // btrfs counts what was written and freed when it commits.
    await this.#images.sync();
    return await statfs(this.#place.path);
  }

  /** On a file system with other users, what is shared is counted as not there: it may have to be copied. */
  async #ownBytes(): Promise<number> {
    let sum = 0;
    for (const id of await this.#images.ids()) {
      const usage = await this.#images.usage(id).catch(() => undefined);
      sum += usage?.ownBytes ?? 0;
    }
    return sum;
  }
}
