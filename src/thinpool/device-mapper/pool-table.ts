/** Tables and status lines of the targets `thin-pool` and `thin`, as text. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { PoolStatus } from '../driver.ts';
import { metadataReserveBytes } from '../space/space-marks.ts';
import type { Target } from './wire.ts';

export const SECTOR_BYTES = 512;
/** Fixed by dm-thin. */
const METADATA_BLOCK_BYTES = 4096;
/** 255 bitmaps for 16,320 blocks each: just under 16 GiB. */
const METADATA_BLOCKS_MAX = 255 * 16_320;
/**
 * What one block of one device needs in the metadata, at worst: 16 bytes in nodes that are half full, 8 for counting how many
 * devices share it, and the way there.
 */
const METADATA_BYTES_PER_MAPPING = 48;
const DATA_RESERVE_SHARE = 0.01;
const DATA_RESERVE_BLOCKS_MIN = 8;
const DATA_RESERVE_BYTES_MAX = 1024 ** 3;

export interface PoolParameters {
  /** Blocks are what a thin device grows by, and what snapshots share. A multiple of 64 KiB up to 1 GiB. */
  readonly blockBytes: number;
  /** The kernel announces it when fewer blocks than this are left. */
  readonly lowWaterBlocks: number;
  /** A full pool refuses writes at once, instead of letting them wait for room. */
  readonly errorIfNoSpace: boolean;
  /** Discards are handed on to the data device. */
  readonly discardPassdown: boolean;
  /**
   * New blocks are filled with zeros before they are used. Without it who reads a device as such can see, around what was written to it,
   * what the block held before; file systems never show that.
   */
  readonly zeroBlocks: boolean;
}

export const DEFAULT_PARAMETERS: PoolParameters = {
  blockBytes: 65_536,
  lowWaterBlocks: 32_768,
  errorIfNoSpace: false,
  discardPassdown: true,
  zeroBlocks: false,
};

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

const show = ({ major, minor }: DeviceNumber): string => `${major}:${minor}`;

export function poolTarget(
  dataBytes: number,
  metadata: DeviceNumber,
  data: DeviceNumber,
  parameters: PoolParameters,
): Target {
  const blockSectors = parameters.blockBytes / SECTOR_BYTES;
  const features = [
    ...(parameters.zeroBlocks ? [] : ['skip_block_zeroing']),
    ...(parameters.discardPassdown ? [] : ['no_discard_passdown']),
    ...(parameters.errorIfNoSpace ? ['error_if_no_space'] : []),
  ];
  const words = [show(metadata), show(data), blockSectors, parameters.lowWaterBlocks, features.length, ...features];
  return {
    startSectors: 0,
    lengthSectors: Math.floor(dataBytes / parameters.blockBytes) * blockSectors,
    type: 'thin-pool',
    parameters: words.join(' '),
  };
}

/** Throws INVALID_ARGUMENT. */
export function assertParameters({ blockBytes, lowWaterBlocks }: PoolParameters): void {
  const isBlock = blockBytes >= 65_536 && blockBytes <= 2 ** 30 && blockBytes % 65_536 === 0;
  if (!isBlock)
    throw new DunnageError(
      'INVALID_ARGUMENT',
      `blocks of ${blockBytes} bytes: must be a multiple of 64 KiB up to 1 GiB`,
    );
  if (!Number.isSafeInteger(lowWaterBlocks) || lowWaterBlocks < 0) {
    throw new DunnageError('INVALID_ARGUMENT', `a low-water mark of ${lowWaterBlocks} blocks`);
  }
}

export function thinTarget(sizeBytes: number, pool: DeviceNumber, id: number): Target {
  return { startSectors: 0, lengthSectors: sizeBytes / SECTOR_BYTES, type: 'thin', parameters: `${show(pool)} ${id}` };
}

/** The id of a table, if it is that of a thin device of this pool. */
export function thinIdOf(targets: readonly Target[], pool: DeviceNumber): number | undefined {
  const [target] = targets;
  const [of, id] = target?.parameters.split(' ') ?? [];
  return target?.type === 'thin' && of === show(pool) ? Number(id) : undefined;
}

/** Two tables that differ only in what can be exchanged while the pool is in use. */
export function usesSameDevices(one: Target, other: Target): boolean {
  const [metadata, data, block] = one.parameters.split(' ');
  const [otherMetadata, otherData, otherBlock] = other.parameters.split(' ');
  return metadata === otherMetadata && data === otherData && block === otherBlock;
}

/** The kernel writes a table in its own words: features in its order, and those that are the rule not at all. */
export function isSamePool(one: Target, other: Target): boolean {
  const features = ({ parameters }: Target): string => parameters.split(' ').slice(5).sort().join(' ');
  const [, , , low] = one.parameters.split(' ');
  const [, , , otherLow] = other.parameters.split(' ');
  return (
    one.lengthSectors === other.lengthSectors &&
    usesSameDevices(one, other) &&
    low === otherLow &&
    features(one) === features(other)
  );
}

export interface PoolTargetStatus extends PoolStatus {
  readonly transaction: number;
  /** A copy of the metadata is held for somebody to read. */
  readonly hasMetadataSnapshot: boolean;
}

/**
 * `transaction used/total(metadata) used/total(data) held-root mode passdown on-full needs_check low-water`, or `Fail`.
 * Throws CORRUPT.
 */
export function parsePoolStatus(line: string, blockBytes: number): PoolTargetStatus {
  const words = line.split(' ');
  const [transaction = '', metadata = '', data = '', held = '', mode = '', , onFull = '', needsCheck = ''] = words;
  const pair = (text: string, unitBytes: number): readonly [number, number] => {
    const match = /^(\d+)\/(\d+)$/.exec(text);
    if (match === null) {
      throw new DunnageError('CORRUPT', `the pool does not work any more; the kernel says: ${line}`, {
        remedy: 'Take it out of service, and repair it: dunnage pool repair',
      });
    }
    return [Number(match[1]) * unitBytes, Number(match[2]) * unitBytes];
  };
  const [metadataUsedBytes, metadataTotalBytes] = pair(metadata, METADATA_BLOCK_BYTES);
  const [dataUsedBytes, dataTotalBytes] = pair(data, blockBytes);
  return {
    dataUsedBytes,
    dataTotalBytes,
    metadataUsedBytes,
    metadataTotalBytes,
    promisableBytes: Math.min(
      dataTotalBytes - dataReserveBytes(dataTotalBytes, blockBytes),
      describableBytes(metadataTotalBytes, blockBytes),
    ),
    isReadOnly: mode === 'ro',
    needsCheck: needsCheck === 'needs_check',
    areWritersStopped: mode === 'out_of_data_space' && onFull === 'queue_if_no_space',
    transaction: Number(transaction),
    hasMetadataSnapshot: held !== '-',
  };
}

/** What the kernel uses of a metadata device of that size. */
export function usableMetadataBytes(sizeBytes: number): number {
  return Math.min(Math.floor(sizeBytes / METADATA_BLOCK_BYTES), METADATA_BLOCKS_MAX) * METADATA_BLOCK_BYTES;
}

/**
 * Data that no device is promised. Who writes to what was shared once gets a new block, also if nobody else has the old one any more, and
 * that is free only after the next commit. Without a free block the last of several that shared their content could never be overwritten.
 */
function dataReserveBytes(dataTotalBytes: number, blockBytes: number): number {
  const share = Math.min(DATA_RESERVE_SHARE * dataTotalBytes, DATA_RESERVE_BYTES_MAX);
  const blocks = Math.max(DATA_RESERVE_BLOCKS_MIN, Math.ceil(share / blockBytes));
  return Math.min(dataTotalBytes, blocks * blockBytes);
}

/** How much data such metadata can describe, whatever is written where. */
function describableBytes(metadataBytes: number, blockBytes: number): number {
  const usableBytes = metadataBytes - metadataReserveBytes(metadataBytes);
  return Math.floor(usableBytes / METADATA_BYTES_PER_MAPPING) * blockBytes;
}
