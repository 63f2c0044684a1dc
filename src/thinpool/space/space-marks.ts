/** From which fill level an overcommitted pool stops its writers, and when it lets them go on. */
import { DunnageError } from '../../errors/dunnage-error.ts';

export interface SpaceMarks {
  /** With less room than this writers wait, and nothing new is made. */
  readonly freezeBelowBytes: number;
  /** With at least this much they go on. */
  readonly thawAboveBytes: number;
}

/** Used data, in percent of all, at which an overcommitted pool counts as full if nothing else is said. */
export const HIGH_WATER_PERCENT = 90;

/**
 * Room that is kept at least: for what is being written while the pool is stopped, and for removing things from a full pool. (The free
 * space is looked at every few milliseconds when little is left.)
 */
const RESERVE_BYTES_MIN = 64 * 1024 * 1024;
const METADATA_RESERVE_BYTES_MAX = 4 * 1024 * 1024;

/** @throws DunnageError INVALID_ARGUMENT for what is no percentage, and for a pool that is all reserve */
export function spaceMarks(dataTotalBytes: number, highWaterPercent: number): SpaceMarks {
  if (!(highWaterPercent >= 1 && highWaterPercent <= 99)) {
    throw new DunnageError('INVALID_ARGUMENT', `a high-water mark is 1 to 99 percent, not ${highWaterPercent}`);
  }
  const reserve = Math.ceil((dataTotalBytes * (100 - highWaterPercent)) / 100);
  const freezeBelowBytes = Math.max(reserve, RESERVE_BYTES_MIN);
  const thawAboveBytes = Math.ceil(freezeBelowBytes * 1.25);
  if (thawAboveBytes < dataTotalBytes) return { freezeBelowBytes, thawAboveBytes };
  throw new DunnageError(
    'INVALID_ARGUMENT',
    `a pool of ${dataTotalBytes} bytes is too small to promise more than it has`,
    {
      remedy: 'make it larger, or leave overcommit out',
    },
  );
}

/**
 * Metadata that must be free before anything new is made: changes are written beside what they replace. The kernel announces a pool
 * that has less.
 */
export function metadataReserveBytes(metadataTotalBytes: number): number {
  return Math.min(Math.floor(metadataTotalBytes / 4), METADATA_RESERVE_BYTES_MAX);
}

/** An overcommitted pool with less room than this comes near its high-water mark: twice what is kept free there. */
export function fillingBelow(dataTotalBytes: number, freezeBelowBytes: number): number {
  return Math.min(freezeBelowBytes * 2, dataTotalBytes / 2);
}
