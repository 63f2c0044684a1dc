/** How a u64 lies in an array of u32 on this host, and the two ways to join its halves. */
import { endianness } from 'node:os';

/** Index of the low and the high half of a u64 within its two words. */
export const LOW: 0 | 1 = endianness() === 'LE' ? 0 : 1;
export const HIGH: 0 | 1 = LOW === 0 ? 1 : 0;

const WORD = 0x1_0000_0000;
/** High halves from here on make a number that does not fit 53 bits. */
const HIGH_LIMIT = 0x20_0000;

/** The value of a u64; -1 if it is 2^53 or more and so cannot be an id or offset that this program gave out. */
export function joinWords(low: number, high: number): number {
  return high < HIGH_LIMIT ? high * WORD + low : -1;
}

/** High half of a non-negative integer below 2^53 (`value >>> 0` is the low one). */
export function highWord(value: number): number {
  return Math.floor(value / WORD);
}
