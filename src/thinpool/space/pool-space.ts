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
import { fillingBelow, metadataReserveBytes, spaceMarks } from './space-marks.ts';

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
  /** 0 where they take their room from the data. */
  readonly metadataUsedBytes: number;
  readonly metadataTotalBytes: number;
  /** Every device can fill up. */
  readonly isBacked: boolean;
  /** With overcommit: it has reached the high-water mark, and not come back below it by a margin. */
  readonly isLow: boolean;
  /** With overcommit: it comes near the high-water mark, so what can be given back should be. */
  readonly isFilling: boolean;
  /** Less data is free than the pool's low-water mark says, if it has one. */
  readonly isBelowLowWater: boolean;
  /** Metadata are short: nothing new is made. */
  readonly areMetadataLow: boolean;
  readonly areWritersStopped: boolean;
  readonly isReadOnly: boolean;
  readonly needsCheck: boolean;
}

type Flag = { [Key in keyof SpaceReport]: SpaceReport[Key] extends boolean ? Key : never }[keyof SpaceReport];

export type PoolSpaceChange =
  | 'low-water'
  | 'above-low-water'
  | 'filling'
  | 'filling-no-more'
  | 'low'
  | 'enough'
  | 'writers-stopped'
  | 'writers-resumed'
  | 'backed'
  | 'unbacked'
  | 'metadata-low'
  | 'metadata-enough'
  | 'read-only'
  | 'writable'
  | 'needs-check'
  | 'checked';

/** What is told of a flag that has changed, in this order; of `isBacked` only where overcommit was not asked for. */
const CHANGES: readonly (readonly [flag: Flag, whenSet: PoolSpaceChange, whenNot: PoolSpaceChange])[] = [
  ['isBelowLowWater', 'low-water', 'above-low-water'],
  ['isFilling', 'filling', 'filling-no-more'],
  ['isLow', 'low', 'enough'],
  ['areWritersStopped', 'writers-stopped', 'writers-resumed'],
  ['isBacked', 'backed', 'unbacked'],
  ['areMetadataLow', 'metadata-low', 'metadata-enough'],
  ['isReadOnly', 'read-only', 'writable'],
  ['needsCheck', 'needs-check', 'checked'],
];

/** Told when it happens, not again while it lasts. */
export type PoolSpaceEvent =
  /** Something new was refused. */
  | { readonly kind: 'refused'; readonly wantedBytes: number; readonly report: SpaceReport }
  /** A flag of the report has changed. */
  | { readonly kind: PoolSpaceChange; readonly report: SpaceReport };

export type PoolSpaceEventKind = PoolSpaceEvent['kind'];

const AT_FIRST: Readonly<Record<Flag, boolean>> = {
  isBacked: true,
  isLow: false,
  isFilling: false,
  isBelowLowWater: false,
  areMetadataLow: false,
  areWritersStopped: false,
  isReadOnly: false,
  needsCheck: false,
};
/** What was short is so until there is a little more than it takes. */
const MARGIN = 1.25;

export class PoolSpace {
  readonly #options: PoolSpaceOptions;
  /** Admitted, and not yet in the metadata. */
  #pendingBytes = 0;
  /** As they were told last. */
  #flags: Readonly<Record<Flag, boolean>> = AT_FIRST;

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
    const refusal =
      lacksMetadata(report) ??
      (this.#options.overcommit === undefined ? lacksBacking(report, sizeBytes) : isFull(report));
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
    const promisedBytes = this.#options.promisedBytes() + this.#pendingBytes;
    const { dataUsedBytes: usedBytes, dataTotalBytes: totalBytes, promisableBytes } = status;
    const { metadataUsedBytes, metadataTotalBytes, isReadOnly, needsCheck } = status;
    const areWritersStopped = status.areWritersStopped ?? false;
    return {
      promisedBytes,
      promisableBytes,
      usedBytes,
      totalBytes,
      metadataUsedBytes,
      metadataTotalBytes,
      isBacked: promisedBytes <= promisableBytes,
      ...this.#fillLevel(totalBytes - usedBytes, totalBytes, areWritersStopped),
      isBelowLowWater: status.isBelowLowWater ?? false,
      areMetadataLow: this.#areMetadataLow(metadataTotalBytes - metadataUsedBytes, metadataTotalBytes),
      areWritersStopped,
      isReadOnly,
      needsCheck,
    };
  }

  #fillLevel(
    freeBytes: number,
    totalBytes: number,
    areWritersStopped: boolean,
  ): Pick<SpaceReport, 'isLow' | 'isFilling'> {
    const { overcommit } = this.#options;
    if (overcommit === undefined) return { isLow: false, isFilling: false };
    const { freezeBelowBytes, thawAboveBytes } = spaceMarks(totalBytes, overcommit.highWaterPercent);
    const isLow = areWritersStopped || freeBytes < (this.#flags.isLow ? thawAboveBytes : freezeBelowBytes);
    const fillingBelowBytes = fillingBelow(totalBytes, freezeBelowBytes);
    const isFilling = isLow || freeBytes < fillingBelowBytes * (this.#flags.isFilling ? MARGIN : 1);
    return { isLow, isFilling };
  }

  #areMetadataLow(freeBytes: number, totalBytes: number): boolean {
    return freeBytes < metadataReserveBytes(totalBytes) * (this.#flags.areMetadataLow ? MARGIN : 1);
  }

  #tell(report: SpaceReport): void {
    const { onEvent, overcommit } = this.#options;
    const before = this.#flags;
    this.#flags = report;
    for (const [flag, whenSet, whenNot] of CHANGES) {
      if (report[flag] === before[flag] || (flag === 'isBacked' && overcommit !== undefined)) continue;
      onEvent({ kind: report[flag] ? whenSet : whenNot, report });
    }
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

function lacksMetadata({
  areMetadataLow,
  metadataUsedBytes,
  metadataTotalBytes,
}: SpaceReport): DunnageError | undefined {
  if (!areMetadataLow) return undefined;
  const used = `${formatBytes(metadataUsedBytes)} of ${formatBytes(metadataTotalBytes)}`;
  return new DunnageError('NO_SPACE', `the metadata of the pool are almost full: ${used} are in use`, {
    remedy: 'make the metadata device larger, or remove devices',
  });
}

function isFull({ isLow, usedBytes, totalBytes }: SpaceReport): DunnageError | undefined {
  if (!isLow) return undefined;
  return new DunnageError(
    'NO_SPACE',
    `the pool is above its high-water mark: ${formatBytes(usedBytes)} of ${formatBytes(totalBytes)} are in use`,
    { remedy: 'remove devices or snapshots, trim the file systems on them, or make the pool larger' },
  );
}
