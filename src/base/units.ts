/** Human-readable units, one writer and one reader for each. */
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1536` -> `1.5 KiB`. At most one digit after the point. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes;
  let step = 0;
  while (value >= 1024 && step < BINARY.length - 1) {
    value /= 1024;
    step += 1;
  }
  const text = step === 0 || Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${text} ${BINARY[step]}`;
}

/** Reads `1048576`, `512KiB`, `1.5 GiB`. Undefined if it is none of that, or no whole number of bytes. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?(B|KiB|MiB|GiB|TiB|PiB)?$/.exec(text);
  if (match === null) return undefined;
  const step = BINARY.indexOf((match[2] ?? 'B') as (typeof BINARY)[number]);
  const sizeBytes = Number(match[1]) * 1024 ** step;
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

const DURATION_STEPS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** `93784000` -> `1d2h`: the two largest units, as kubectl's AGE column. Under a second: `0s`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.max(0, durationMs);
  const parts: string[] = [];
  for (const [unit, sizeMs] of DURATION_STEPS) {
    const count = Math.floor(rest / sizeMs);
    rest -= count * sizeMs;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? '0s' : parts.join('');
}

/** Reads what `formatDuration` writes: `1d2h`, `5m`, `90s`, each unit at most once, largest first. Undefined if it is none of that. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/.exec(text);
  if (match === null || text === '') return undefined;
  return DURATION_STEPS.reduce((sumMs, [, sizeMs], index) => sumMs + Number(match[index + 1] ?? 0) * sizeMs, 0);
}
