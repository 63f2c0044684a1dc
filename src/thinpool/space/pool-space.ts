/**
 * Honest space: what a pool promises to its devices, and what it has.
 *
 * A device may fill up, so its size is a promise; a snapshot promises its whole size again, because in the end nothing of it may be
 * shared. Without overcommit nothing is promised that is not there: a device that exists never finds the pool full. With overcommit more
 * is promised; new devices are refused from a high-water mark on, and there the driver stops the writers (`write-guard` of the driver
 * reflink; dm-thin queues them). The same for all drivers.
 */
import { formatBytes } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Admission } from '../create-device.ts';
import type { PoolDriver, PoolStatus } from '../driver.ts';
import { spaceMarks } from './space-marks.ts';

export interface Overcommit {
  /** Used data in percent of all at which nothing new is made and writers wait. */
  readonly highWaterPercent: number;
}

export interface PoolSpaceOptions {
  readonly driver: Pick<PoolDriver, 'status'>;
  /** Sum of the sizes of all devices, snapshots included, as the metadata have them now. */
  readonly promisedBytes: () => number;
  /** Promise more than there is. Not without asking: it is the owner's choice. */
  readonly overcommit?: Overcommit;
  readonly onEvent: (event: PoolSpaceEvent) => void;
}

export interface SpaceReport {
  readonly promisedBytes: number;
  readonly promisableBytes: number;
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** Every device can fill up. */
  readonly isBacked: boolean;
  /** With overcommit: it has reached the high-water mark, and not come back below it by a margin. */
  readonly isLow: boolean;
  readonly areWritersStopped: boolean;
}

/** Told when it happens, not again while it lasts. */
export type PoolSpaceEvent =
  /** Something new was refused. */
  | { readonly kind: 'refused'; readonly wantedBytes: number; readonly report: SpaceReport }
  /** `isLow` has changed. */
  | { readonly kind: 'low' | 'enough'; readonly report: SpaceReport }
  /** `areWritersStopped` has changed. */
  | { readonly kind: 'writers-stopped' | 'writers-resumed'; readonly report: SpaceReport }
  /** `isBacked` has changed although overcommit was not asked for: somebody else takes the space, or the pool has become smaller. */
  | { readonly kind: 'unbacked' | 'backed'; readonly report: SpaceReport };

export class PoolSpace {
  readonly #options: PoolSpaceOptions;
  /** Admitted, and not yet in the metadata. */
  #pendingBytes = 0;
  #isLow = false;
  #areWritersStopped = false;
  #isBacked = true;

  constructor(options: PoolSpaceOptions) {
    this.#options = options;
  }

  /**
   * Promises so many more bytes, until `release`: by then the metadata count them, or nobody wants them any more. For
   * `PoolDeviceOptions.admit`.
   * @throws DunnageError NO_SPACE
   */
  async admit(sizeBytes: number): Promise<Admission> {
    const status = await this.#options.driver.status();
    // From here on nothing else runs until the bytes are counted.
    const report = this.#report(status);
    this.#tell(report);
    const refusal = this.#options.overcommit === undefined ? lacksBacking(report, sizeBytes) : isFull(report);
    if (refusal !== undefined) {
      this.#options.onEvent({ kind: 'refused', wantedBytes: sizeBytes, report });
      throw refusal;
    }
    this.#pendingBytes += sizeBytes;
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#pendingBytes -= sizeBytes;
      },
    };
  }

  /** Looks once, and tells what has changed. To be called from time to time, and when something was given back. */
  async look(): Promise<SpaceReport> {
    const report = this.#report(await this.#options.driver.status());
    this.#tell(report);
    return report;
  }

  #report(status: PoolStatus): SpaceReport {
    const { promisedBytes, overcommit } = this.#options;
    const promised = promisedBytes() + this.#pendingBytes;
    const { dataUsedBytes: usedBytes, dataTotalBytes: totalBytes, promisableBytes } = status;
    const areWritersStopped = status.areWritersStopped ?? false;
    const isLow =
      overcommit !== undefined && (areWritersStopped || this.#isAbove(overcommit, totalBytes - usedBytes, totalBytes));
    const isBacked = promised <= promisableBytes;
    return { promisedBytes: promised, promisableBytes, usedBytes, totalBytes, isBacked, isLow, areWritersStopped };
  }

  #isAbove({ highWaterPercent }: Overcommit, freeBytes: number, totalBytes: number): boolean {
    const { freezeBelowBytes, thawAboveBytes } = spaceMarks(totalBytes, highWaterPercent);
    return freeBytes < (this.#isLow ? thawAboveBytes : freezeBelowBytes);
  }

  #tell(report: SpaceReport): void {
    const { onEvent, overcommit } = this.#options;
    const { isLow, isBacked, areWritersStopped } = report;
    const before = { isLow: this.#isLow, isBacked: this.#isBacked, areWritersStopped: this.#areWritersStopped };
    this.#areWritersStopped = areWritersStopped;
    this.#isLow = isLow;
    this.#isBacked = isBacked;
    if (isLow !== before.isLow) onEvent({ kind: isLow ? 'low' : 'enough', report });
    if (areWritersStopped !== before.areWritersStopped) {
      onEvent({ kind: areWritersStopped ? 'writers-stopped' : 'writers-resumed', report });
    }
    if (overcommit === undefined && isBacked !== before.isBacked)
      onEvent({ kind: isBacked ? 'backed' : 'unbacked', report });
  }
}

function lacksBacking({ promisedBytes, promisableBytes }: SpaceReport, wantedBytes: number): DunnageError | undefined {
  if (promisedBytes + wantedBytes <= promisableBytes) return undefined;
  const left = formatBytes(Math.max(0, promisableBytes - promisedBytes));
  return new DunnageError(
    'NO_SPACE',
    `${formatBytes(wantedBytes)} more cannot be promised: the pool can hold ${formatBytes(promisableBytes)}, of which ${left} are not promised yet`,
    { remedy: 'take a smaller size, remove devices, make the pool larger, or allow it to overcommit' },
  );
}

function isFull({ isLow, usedBytes, totalBytes }: SpaceReport): DunnageError | undefined {
  if (!isLow) return undefined;
  return new DunnageError(
    'NO_SPACE',
    `the pool is above its high-water mark: ${formatBytes(usedBytes)} of ${formatBytes(totalBytes)} are in use`,
    { remedy: 'remove devices or snapshots, trim the file systems on them, or make the pool larger' },
  );
}
