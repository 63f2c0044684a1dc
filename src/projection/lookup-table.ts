/**
 * How many references the kernel holds on the nodes of each generation (FUSE lookup counts, summed per generation, and
 * one for each open live file that reads it), and on each node of the live view.
 *
 * The table lives in shared memory that the holder keeps, so a daemon that takes over knows what the kernel still
 * remembers. A count is raised before the reply that grants it and lowered after FORGET: a kill in between leaves it too
 * high, which keeps content longer than needed and never drops content too early.
 *
 * Layout: slots of two float64 (exact below 2^53). Slot 0 holds the number of slots that were ever used, so that a load
 * does not touch the untouched rest; every other slot holds an id (0 = free) and its count.
 */
import type { GenerationId, NodeId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

/** A generation, or a node of the live view, whose ids are above all others. */
type CountedId = GenerationId | NodeId;

const SLOT_NUMBERS = 2;
export const LOOKUP_SLOT_BYTES: number = SLOT_NUMBERS * Float64Array.BYTES_PER_ELEMENT;

export class LookupTable {
  readonly #numbers: Float64Array;
  readonly #slots = new Map<CountedId, number>();
  readonly #free: number[] = [];

  /** `memory` is all zero for a new mount, or what an earlier daemon left. The table takes its first `sizeBytes`. */
  constructor(memory: ArrayBuffer, sizeBytes: number = memory.byteLength) {
    this.#numbers = new Float64Array(memory, 0, Math.floor(sizeBytes / LOOKUP_SLOT_BYTES) * SLOT_NUMBERS);
    this.#load();
  }

  #load(): void {
    for (let slot = this.#highest; slot >= 1; slot -= 1) {
      const id = this.#numbers[slot * SLOT_NUMBERS] as number;
      if (id === 0) this.#free.push(slot);
      else this.#slots.set(id as CountedId, slot);
    }
  }

  get #highest(): number {
    return this.#numbers[0] as number;
  }

  count(id: CountedId): number {
    const slot = this.#slots.get(id);
    return slot === undefined ? 0 : (this.#numbers[slot * SLOT_NUMBERS + 1] as number);
  }

  /** Everything the kernel remembers something of. */
  ids(): readonly CountedId[] {
    return [...this.#slots.keys()];
  }

  /** Throws NO_SPACE if the table is full. */
  add(id: CountedId, references = 1): void {
    let slot = this.#slots.get(id);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#highest + 1;
      if ((slot + 1) * SLOT_NUMBERS > this.#numbers.length) {
        throw new DunnageError(
          'NO_SPACE',
          `the kernel remembers ${this.#highest} generations and live files, more than the table holds`,
        );
      }
      if (slot > this.#highest) this.#numbers[0] = slot;
      this.#slots.set(id, slot);
      this.#numbers[slot * SLOT_NUMBERS + 1] = 0;
      this.#numbers[slot * SLOT_NUMBERS] = id;
    }
    (this.#numbers[slot * SLOT_NUMBERS + 1] as number) += references;
  }

  /** Returns the count that is left. More than there are is taken as all: the kernel is never wrong in the other direction. */
  subtract(id: CountedId, references: number): number {
    const slot = this.#slots.get(id);
    if (slot === undefined) return 0;
    const left = Math.max(0, (this.#numbers[slot * SLOT_NUMBERS + 1] as number) - references);
    this.#numbers[slot * SLOT_NUMBERS + 1] = left;
    if (left === 0) {
      this.#numbers[slot * SLOT_NUMBERS] = 0;
      this.#slots.delete(id);
      this.#free.push(slot);
    }
    return left;
  }
}
