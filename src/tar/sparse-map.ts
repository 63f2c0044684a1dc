/**
 * The map of a sparse file in its four forms. All say where the stored bytes belong; the rest of the file are holes.
 *
 * - old GNU: in the header block itself (4 regions), and in blocks of 21 regions behind it;
 * - PAX 0.0: records `GNU.sparse.offset` and `GNU.sparse.numbytes`, one pair for each region;
 * - PAX 0.1: one record `GNU.sparse.map`, the numbers with commas between them;
 * - PAX 1.0: decimal lines in front of the content, filled up to whole blocks. The form that is written.
 */
import { limits } from '../base/limits.ts';
import type { DataRegion } from './entry.ts';
import { BLOCK_BYTES } from './header-block.ts';
import { readHeaderNumber } from './header-numbers.ts';

const NUMBER_BYTES = 12;
const OLD_FIRST = { at: 386, regions: 4, isExtendedAt: 482 } as const;
const OLD_NEXT = { at: 0, regions: 21, isExtendedAt: 504 } as const;
const OLD_REAL_SIZE_AT = 483;
const DECIMAL = /^\d{1,16}$/;
/** Digits of a number below 2^53, and its end of line. */
const LINE_BYTES_MAX = 17;

export interface OldSparseBlock {
  readonly regions: readonly DataRegion[];
  readonly hasMore: boolean;
}

/** What a header of type `S` (`isFirst`), or a block behind it, says. A reason if it is damaged. */
export function readOldSparseBlock(block: Uint8Array, isFirst: boolean): OldSparseBlock | string {
  const place = isFirst ? OLD_FIRST : OLD_NEXT;
  const regions: DataRegion[] = [];
  for (let index = 0; index < place.regions; index += 1) {
    const at = place.at + index * 2 * NUMBER_BYTES;
    // An unused one begins with a NUL.
    if (block[at] === 0) break;
    const offset = readHeaderNumber(block, at, NUMBER_BYTES);
    const sizeBytes = readHeaderNumber(block, at + NUMBER_BYTES, NUMBER_BYTES);
    if (offset === undefined || sizeBytes === undefined) return 'the map of a sparse file has what is no number';
    regions.push({ offset, sizeBytes });
  }
  return { regions, hasMore: (block[place.isExtendedAt] ?? 0) !== 0 };
}

export function readOldRealSize(block: Uint8Array): number | undefined {
  return readHeaderNumber(block, OLD_REAL_SIZE_AT, NUMBER_BYTES);
}

/** `GNU.sparse.map` of 0.1; 0.0 is brought into the same form. */
export function readCommaMap(text: string): DataRegion[] | string {
  if (text === '') return [];
  const numbers = text.split(',');
  if (numbers.length % 2 !== 0 || !numbers.every((number) => DECIMAL.test(number)))
    return 'the map of a sparse file is no list of pairs';
  if (numbers.length / 2 > limits.tarSparseRegionsMax) return 'a sparse file has too many pieces';
  const regions: DataRegion[] = [];
  for (let at = 0; at < numbers.length; at += 2)
    regions.push({ offset: Number(numbers[at]), sizeBytes: Number(numbers[at + 1]) });
  return regions;
}

/**
 * Reads the map of 1.0, block by block as it arrives: `add` returns undefined while more are needed.
 */
export class MapReader {
  readonly #numbers: number[] = [];
  #line = '';

  add(block: Uint8Array): DataRegion[] | string | undefined {
    for (let at = 0; at < BLOCK_BYTES; at += 1) {
      const byte = block[at] ?? 0;
      if (byte !== 0x0a) {
        this.#line += String.fromCharCode(byte);
        if (this.#line.length >= LINE_BYTES_MAX) return 'the map of a sparse file has what is no number';
        continue;
      }
      if (!DECIMAL.test(this.#line)) return 'the map of a sparse file has what is no number';
      this.#numbers.push(Number(this.#line));
      this.#line = '';
      const count = this.#numbers[0] ?? 0;
      if (count > limits.tarSparseRegionsMax) return 'a sparse file has too many pieces';
      // What follows in the block only fills it up.
      if (this.#numbers.length === 1 + 2 * count) return this.#regions(count);
    }
    return undefined;
  }

  #regions(count: number): DataRegion[] {
    return Array.from({ length: count }, (_, index) => ({
      offset: this.#numbers[1 + 2 * index] ?? 0,
      sizeBytes: this.#numbers[2 + 2 * index] ?? 0,
    }));
  }
}

/** The map of 1.0 in whole blocks. A hole at the end of the file is marked by a piece without a byte: GNU tar wants that. */
export function writeMap(regions: readonly DataRegion[], sizeBytes: number): Buffer {
  const last = regions.at(-1);
  const endsInHole = (last === undefined ? 0 : last.offset + last.sizeBytes) < sizeBytes;
  const pieces = endsInHole ? [...regions, { offset: sizeBytes, sizeBytes: 0 }] : regions;
  const numbers = [pieces.length, ...pieces.flatMap((piece) => [piece.offset, piece.sizeBytes])];
  const text = `${numbers.join('\n')}\n`;
  const map = Buffer.alloc(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES);
  map.write(text, 'latin1');
  return map;
}

/** Why a map contradicts itself, the length of the file or the bytes that are stored; undefined if it does not. */
export function mapFault(regions: readonly DataRegion[], sizeBytes: number, stored: number): string | undefined {
  let end = 0;
  let sum = 0;
  for (const region of regions) {
    if (region.offset < end) return 'the pieces of a sparse file overlap';
    end = region.offset + region.sizeBytes;
    sum += region.sizeBytes;
    if (end > sizeBytes) return 'a piece of a sparse file is behind its end';
  }
  return sum === stored ? undefined : 'the pieces of a sparse file are not as long as what is stored of it';
}
