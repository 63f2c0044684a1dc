/**
 * The names of unpublished generations that the kernel knows: from the mkdir(2) of the directory until it was published or
 * its names were removed again. The content of such a generation dies with the daemon; its names in the kernel do not.
 *
 * Like the lookup table it lives in shared memory that the holder keeps, so that a daemon which takes over can remove them. The
 * thread that serves writes it, the main thread reads it too.
 *
 * Layout: slots of 128 bytes. Slot 0 holds the number of slots that were ever used; every other slot a generation id (0 =
 * free), its projection, its number of nodes (float64 each, exact below 2^53), the length of the name, and the name. The
 * id is written last and cleared first.
 */
import type { GenerationId, ProjectionId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

export const PENDING_SLOT_BYTES = 128;
const NAME_OFFSET = 32;
const NAME_BYTES_MAX = PENDING_SLOT_BYTES - NAME_OFFSET;

export interface PendingName {
  readonly id: GenerationId;
  readonly projection: ProjectionId;
  readonly nodes: number;
  readonly directory: string;
}

export class PendingTable {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  readonly #slots: number;
  readonly #slotOf = new Map<GenerationId, number>();
  readonly #free: number[] = [];

  /** `memory` is all zero for a new mount, or what an earlier daemon left. The table takes it from `offsetBytes` to its end. */
  constructor(memory: ArrayBuffer, offsetBytes = 0) {
    this.#view = new DataView(memory, offsetBytes);
    this.#bytes = Buffer.from(memory, offsetBytes);
    this.#slots = Math.floor(this.#view.byteLength / PENDING_SLOT_BYTES);
    for (let slot = this.#highest; slot >= 1; slot -= 1) {
      const id = this.#number(slot, 0) as GenerationId;
      if (id === 0) this.#free.push(slot);
      else this.#slotOf.set(id, slot);
    }
  }

  get #highest(): number {
    return this.#view.getFloat64(0, true);
  }

  /** @throws DunnageError NO_SPACE if too many swaps are under way. Does nothing for one that is there. */
  add({ id, projection, nodes, directory }: PendingName): void {
    if (this.#slotOf.has(id)) return;
    const slot = this.#free.at(-1) ?? this.#highest + 1;
    const name = Buffer.from(directory);
    if (slot >= this.#slots || name.length > NAME_BYTES_MAX) {
      throw new DunnageError('NO_SPACE', `more than ${this.#slots - 1} swaps are under way`);
    }
    this.#free.pop();
    const start = slot * PENDING_SLOT_BYTES;
    this.#view.setFloat64(start + 8, projection, true);
    this.#view.setFloat64(start + 16, nodes, true);
    this.#view.setFloat64(start + 24, name.length, true);
    name.copy(this.#bytes, start + NAME_OFFSET);
    if (slot > this.#highest) this.#view.setFloat64(0, slot, true);
    this.#view.setFloat64(start, id, true);
    this.#slotOf.set(id, slot);
  }

  remove(id: GenerationId): void {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return;
    this.#view.setFloat64(slot * PENDING_SLOT_BYTES, 0, true);
    this.#slotOf.delete(id);
    this.#free.push(slot);
  }

  /** What is in the memory now, whichever thread put it there. */
  *entries(): IterableIterator<PendingName> {
    for (let slot = 1; slot <= this.#highest; slot += 1) {
      const id = this.#number(slot, 0) as GenerationId;
      if (id === 0) continue;
      const start = slot * PENDING_SLOT_BYTES + NAME_OFFSET;
      yield {
        id,
        projection: this.#number(slot, 8) as ProjectionId,
        nodes: this.#number(slot, 16),
        directory: this.#bytes.toString('utf8', start, start + this.#number(slot, 24)),
      };
    }
  }

  /** Those of one projection: names that an interrupted swap left. */
  of(projection: ProjectionId): readonly PendingName[] {
    const found: PendingName[] = [];
    for (const entry of this.entries()) if (entry.projection === projection) found.push(entry);
    return found;
  }

  #number(slot: number, offsetBytes: number): number {
    return this.#view.getFloat64(slot * PENDING_SLOT_BYTES + offsetBytes, true);
  }
}
