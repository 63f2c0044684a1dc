/** Sizes, percentages and times in the manifest of a pool. */
import { formatDuration, parseDurationMs } from '../../base/units.ts';
import type { Field } from '../../projection/manifests/fields.ts';
import { TRIM_INTERVAL_MS } from '../../thinpool/pool-spec.ts';
import { parsePoolSize } from '../../thinpool/size.ts';

const INTERVAL_MS_MIN = 60_000;

/** In bytes: `20GiB`, `128Mb`, or a number. */
export function readSize(field: Field): number {
  if (field.isAbsent) throw field.error('is missing', 'write it as 20GiB, or as a number of bytes');
  const sizeBytes = typeof field.value === 'number' ? field.value : parsePoolSize(field.string());
  if (sizeBytes !== undefined && Number.isSafeInteger(sizeBytes) && sizeBytes > 0) return sizeBytes;
  throw field.error('must be a size', 'write it as 20GiB, or as a number of bytes');
}

/** `90%`, or 90. */
export function readPercent(field: Field): number {
  const { value } = field;
  const percent = typeof value === 'string' && /^\d{1,2}%$/.test(value) ? Number.parseInt(value, 10) : value;
  if (typeof percent === 'number' && Number.isInteger(percent) && percent >= 1 && percent <= 99) return percent;
  throw field.error('must be a percentage from 1% to 99%');
}

/** `{interval: 24h}`, `{interval: off}`; undefined for off. */
export function readInterval(trim: Field): number | undefined {
  if (trim.isAbsent) return TRIM_INTERVAL_MS;
  const field = trim.only(['interval']).get('interval');
  if (field.isAbsent) return TRIM_INTERVAL_MS;
  if (field.value === 'off' || field.value === false) return undefined;
  const intervalMs = parseDurationMs(field.string());
  if (intervalMs !== undefined && intervalMs >= INTERVAL_MS_MIN) return intervalMs;
  throw field.error(
    `must be a time of at least ${formatDuration(INTERVAL_MS_MIN)}, or off`,
    'write it as 24h or 1d12h',
  );
}

/** The same, as `readInterval` reads it. */
export function formatInterval(intervalMs: number | undefined): string {
  if (intervalMs === undefined) return 'off';
  const short = formatDuration(intervalMs);
  return parseDurationMs(short) === intervalMs ? short : `${Math.floor(intervalMs / 1000)}s`;
}
