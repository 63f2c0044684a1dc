/**
 * Numbers in the 512-byte header: octal digits with spaces or NULs around them or, if the first bit is set, the number itself in
 * as many bytes as the field has (base-256, two's complement).
 */

const SPACE = 0x20;
const ZERO = 0x30;
const SEVEN = 0x37;

/** Undefined if the field holds no number, or one that is not exact (2^53 and more). */
export function readHeaderNumber(block: Uint8Array, at: number, length: number): number | undefined {
  return ((block[at] ?? 0) & 0x80) === 0 ? readOctal(block, at, at + length) : readBase256(block, at, length);
}

function readOctal(block: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  while (at < end && (block[at] === SPACE || block[at] === 0)) at += 1;
  let value = 0;
  while (at < end) {
    const digit = block[at] ?? 0;
    if (digit < ZERO || digit > SEVEN) break;
    value = value * 8 + (digit - ZERO);
    at += 1;
  }
  while (at < end && (block[at] === SPACE || block[at] === 0)) at += 1;
  return at === end && Number.isSafeInteger(value) ? value : undefined;
}

function readBase256(block: Uint8Array, at: number, length: number): number | undefined {
  const first = block[at] ?? 0;
  const isNegative = (first & 0x40) !== 0;
  // The first bit says that it is a number; of a negative one it is part of the sign.
  let value = BigInt(isNegative ? first : first & 0x7f);
  for (let index = 1; index < length; index += 1) value = (value << 8n) | BigInt(block[at + index] ?? 0);
  if (isNegative) value -= 1n << BigInt(8 * length);
  const result = Number(value);
  return Number.isSafeInteger(result) ? result : undefined;
}
