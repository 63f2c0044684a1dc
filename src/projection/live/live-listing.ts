/**
 * The order of a listing. A name's position is a hash of it, so that a listing which goes on after a swap neither skips nor
 * repeats what is in the old and in the new content.
 */
import type { LiveKind } from './live-nodes.ts';

export interface ListedName {
  readonly name: string;
  readonly kind: LiveKind;
  /** Above 0, below 2^52. */
  readonly position: number;
}

const sorted = new WeakMap<ReadonlyMap<string, LiveKind>, readonly ListedName[]>();

/** Sorted by position; of equal positions, which take a collision of 52 bits, both come in the same reply or one is lost. */
export function inListingOrder(names: ReadonlyMap<string, LiveKind>): readonly ListedName[] {
  let list = sorted.get(names);
  if (list === undefined) {
    list = [...names]
      .map(([name, kind]) => ({ name, kind, position: positionOf(name) }))
      .sort((a, b) => a.position - b.position || (a.name < b.name ? -1 : 1));
    sorted.set(names, list);
  }
  return list;
}

const FNV_PRIME = 0x0100_0193;
const FNV_BASIS = 0x811c_9dc5;
const SECOND_BASIS = 0x9747_b28c;
const HIGH_BITS = 0xf_ffff;

/** Two FNV-1a hashes of the UTF-16 units, of which the second gives the upper 20 bits. */
export function positionOf(name: string): number {
  let low = FNV_BASIS;
  let high = SECOND_BASIS;
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    low = Math.imul(low ^ unit, FNV_PRIME);
    high = Math.imul(high ^ unit ^ (low >>> 16), FNV_PRIME);
  }
  return 1 + (high & HIGH_BITS) * 2 ** 32 + (low >>> 0);
}
