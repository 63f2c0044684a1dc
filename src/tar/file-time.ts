/** Times as PAX writes them: seconds since 1970 in decimal, with a fraction, negative before. */
import type { FileTime } from './entry.ts';

const PATTERN = /^(-?)(\d{1,15})(?:\.(\d*))?$/;
const NANOSECONDS = 1_000_000_000;

/** Undefined if it is no time. Digits after the ninth are dropped. */
export function readFileTime(text: string): FileTime | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: NANOSECONDS - nanoseconds };
}

export function writeFileTime({ seconds, nanoseconds }: FileTime): string {
  if (nanoseconds === 0) return String(seconds);
  if (seconds >= 0) return `${seconds}.${fraction(nanoseconds)}`;
  return `-${-seconds - 1}.${fraction(NANOSECONDS - nanoseconds)}`;
}

function fraction(nanoseconds: number): string {
  return String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
}
