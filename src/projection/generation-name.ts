/**
 * Names of generations: `..YYYY_MM_DD_HH_MM_SS.<digits>`, UTC, as the reference names its timestamped directories.
 * The digits are 64 bits from the system's random generator, always 20 of them: on the mount whoever knows the name
 * of a staged generation may publish it, so nobody must be able to guess it.
 */
import { randomFillSync } from 'node:crypto';
import type { Clock } from '../base/clock.ts';

const RANDOM_DIGITS = 20;
const RANDOM_BYTES = 8;
const NAME_PATTERN = /^\.\.(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)\.(\d{1,40})$/;

export interface GenerationName {
  readonly createdAtMs: number;
  readonly digits: string;
}

/** Drawn ahead: to ask the generator takes as long for many bytes as for a few. What was used is wiped. */
const random = Buffer.alloc(RANDOM_BYTES * 128);
let randomUsedBytes = random.length;

function randomNumber(): bigint {
  if (randomUsedBytes === random.length) {
    randomFillSync(random);
    randomUsedBytes = 0;
  }
  const value = random.readBigUInt64BE(randomUsedBytes);
  random.fill(0, randomUsedBytes, randomUsedBytes + RANDOM_BYTES);
  randomUsedBytes += RANDOM_BYTES;
  return value;
}

/** A new name, never used before. */
export function generationName(clock: Clock): string {
  const [date = '', time = ''] = new Date(clock.nowMs()).toISOString().slice(0, 19).split('T');
  const digits = randomNumber().toString().padStart(RANDOM_DIGITS, '0');
  return `..${date.replaceAll('-', '_')}_${time.replaceAll(':', '_')}.${digits}`;
}

/** Reads a name; undefined if it is not one. Also accepts the shorter digits of the reference's mkdtemp. */
export function parseGenerationName(name: string): GenerationName | undefined {
  const match = NAME_PATTERN.exec(name);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, digits = ''] = match;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const createdAtMs = Date.parse(iso);
  // Date.parse rolls 31 February over into March; such a name was never made by a clock.
  if (Number.isNaN(createdAtMs) || new Date(createdAtMs).toISOString() !== iso) return undefined;
  return { createdAtMs, digits };
}

export function isGenerationName(name: string): boolean {
  return parseGenerationName(name) !== undefined;
}
