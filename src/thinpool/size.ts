/** Sizes as docker writes them: `128Mb`, `32KIB`, `10g`, `1024`. Every unit is a power of 1024, in whatever case. */

const STEPS = ['', 'k', 'm', 'g', 't', 'p'] as const;

/** Whole bytes (a fraction of one is dropped). Undefined for what is no size or cannot be counted exactly. */
export function parsePoolSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const step = STEPS.indexOf((match[2] ?? '').toLowerCase() as (typeof STEPS)[number]);
  const sizeBytes = Math.floor(Number(match[1]) * 1024 ** step);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}
