/** The spec that the options of `pool create` stand for. */
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../base/units.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { parsePoolSize } from '../thinpool/size.ts';

export const POOL_DRIVERS = ['reflink', 'devicemapper'] as const;
export const FULL_WORDS = ['queue', 'error'] as const;

/** Sizes as they were typed. */
export interface PoolWords {
  readonly driver?: (typeof POOL_DRIVERS)[number];
  readonly directory?: string;
  readonly device?: string;
  readonly file?: string;
  readonly size?: string;
  readonly dataDevice?: string;
  readonly metadataDevice?: string;
  readonly dataFile?: string;
  readonly metadataFile?: string;
  readonly format?: boolean;
  readonly deviceSize?: string;
  readonly blockSize?: string;
  readonly lowWaterMark?: string;
  /** False with --no-discard-passdown. */
  readonly discardPassdown: boolean;
  readonly whenFull?: (typeof FULL_WORDS)[number];
  readonly overcommit?: boolean;
  readonly highWaterMark?: number;
  readonly trim?: string;
  /** Text of the reference's TOML. */
  readonly config?: string;
}

/**
 * The daemon judges the values; here only what options cannot mean together is refused, and paths become absolute: the daemon's working
 * directory is another one.
 * @throws DunnageError INVALID_ARGUMENT
 */
export function toPoolSpec(words: PoolWords): Record<string, unknown> {
  const { driver, deviceSize, blockSize, lowWaterMark, whenFull, trim, config } = words;
  return withoutAbsent({
    driver,
    config,
    ...placeOf(words),
    format: words.format,
    deviceSize,
    blockSize,
    lowWaterMark,
    whenFull,
    discardPassdown: words.discardPassdown ? undefined : false,
    overcommit: overcommitOf(words),
    trim: trim === undefined ? undefined : { interval: trim },
  });
}

function placeOf(words: PoolWords): Record<string, unknown> {
  const { directory, device, file, size, dataDevice, metadataDevice, dataFile, metadataFile, config } = words;
  const isOfFiles = [file, dataFile, metadataFile].some((path) => path !== undefined);
  const named = [
    directory,
    device,
    file,
    ...(dataDevice === undefined && metadataDevice === undefined ? [] : ['devices']),
    ...(dataFile === undefined && metadataFile === undefined ? [] : ['files']),
  ].filter((path) => path !== undefined);
  if (named.length > 1) throw oneOf('a pool lies in one place');
  if (named.length === 0 && size === undefined && config === undefined) throw oneOf('where the pool lies is missing');
  if (size === undefined && isOfFiles) throw misused('a file needs its size', 'add --size, e.g. --size 20GiB');
  if (size !== undefined && named.length === 1 && !isOfFiles)
    throw misused('--size is for files: a directory or a device has its own', 'leave it out');
  if ((dataDevice === undefined) !== (metadataDevice === undefined)) {
    throw misused('a pool of the device-mapper needs two devices', 'give both --data-device and --metadata-device');
  }
  if (directory !== undefined) return { directory: resolve(directory) };
  if (device !== undefined) return { device: resolve(device) };
  if (dataDevice !== undefined && metadataDevice !== undefined)
    return { dataDevice: resolve(dataDevice), metadataDevice: resolve(metadataDevice) };
  if (size === undefined) return {};
  const isMapper = words.driver === 'devicemapper' || dataFile !== undefined || metadataFile !== undefined;
  if (!isMapper) return { file: withoutAbsent({ path: absolute(file), size }) };
  return {
    dataFile: withoutAbsent({ path: absolute(dataFile ?? file), size }),
    metadataFile: withoutAbsent({ path: absolute(metadataFile) }),
  };
}

function overcommitOf({ overcommit, highWaterMark }: PoolWords): object | undefined {
  if (overcommit !== true) {
    if (highWaterMark === undefined) return undefined;
    throw misused('--high-water-mark is where an overcommitted pool stops its writers', 'add --overcommit');
  }
  return withoutAbsent({
    allowed: true,
    highWaterMark: highWaterMark === undefined ? undefined : `${highWaterMark}%`,
  });
}

/** A parser for options that take a size: `20GiB`, `512m`. The word stays as it is. */
export function sizeWord(word: string): string {
  const sizeBytes = parsePoolSize(word);
  if (sizeBytes !== undefined && sizeBytes > 0) return word;
  throw new InvalidArgumentError('It must be a size: 20GiB, 512MiB, ... (G and GB are GiB, too).');
}

/** Percents, with or without the sign. */
export function percentWord(word: string): number {
  const percent = Number(/^(\d{1,2})%?$/.exec(word)?.[1]);
  if (percent >= 1) return percent;
  throw new InvalidArgumentError('It must be a percentage from 1% to 99%.');
}

export function intervalWord(word: string): string {
  const intervalMs = parseDurationMs(word);
  if (word === 'off' || (intervalMs !== undefined && intervalMs > 0)) return word;
  throw new InvalidArgumentError('It must be a duration (24h, 90m, ...) or off.');
}

const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));

function withoutAbsent(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function oneOf(message: string): DunnageError {
  return misused(
    message,
    'give one of --directory, --device, --data-device with --metadata-device; or for development --size, for a file',
  );
}

function misused(message: string, remedy: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', message, { remedy });
}
