/**
 * Requests that a daemon has read and not answered yet, in shared memory that outlives it (the holder keeps the memfd).
 * For kernels that cannot send them again (before Linux 6.9): the next daemon serves them from here.
 *
 * Layout: `current`, where the channel reads each request, then slots of `[u32 valid, u32 unused, request]`.
 *
 *   read(2) -> in `current` -> answered before its handler returns -> `current` is cleared (by the channel)
 *                           -> handler goes asynchronous: copied to a slot -> answered: the slot is free
 *
 * So at every moment what is unanswered is in `current`, in a slot, or in both. What was answered just before the death
 * may still be there: it is served once more, marked as repeated, and the kernel takes no reply to it (ENOENT).
 */
import { strict as assert } from 'node:assert';
import { markAsUntransferable } from 'node:worker_threads';
import { limits } from '../base/limits.ts';
import { IN_HEADER_BYTES, OPCODE } from './abi.ts';

const CURRENT_BYTES = limits.fuseWriteBytesMax + limits.fuseHeaderBytesMax;
const SLOT_HEADER_BYTES = 8;
/** Length and opcode. */
const MARK_BYTES = 8;
const LENGTH_WORD = 0;
const OPCODE_WORD = 1;
const UNIQUE_WORDS = [2, 3] as const;

/** RENAME2 with two of the longest names is the longest request that changes something. */
assert(SLOT_HEADER_BYTES + IN_HEADER_BYTES + 16 + 2 * (limits.nameBytesMax + 1) <= limits.fuseJournalSlotBytes);

export const JOURNAL_BYTES: number = CURRENT_BYTES + limits.fuseJournalSlots * limits.fuseJournalSlotBytes;
/** What the memory means; a daemon of another version may have laid it out differently. */
export const JOURNAL_LAYOUT: string = JSON.stringify({
  format: 1,
  currentBytes: CURRENT_BYTES,
  slots: limits.fuseJournalSlots,
  slotBytes: limits.fuseJournalSlotBytes,
});

/**
 * Never served again. To count a reference for too long is safe, to drop one twice is not; nobody waits for an interrupt;
 * INIT and DESTROY belong to the life of the connection.
 */
const NEVER_REPEATED: ReadonlySet<number> = new Set([
  OPCODE.FORGET,
  OPCODE.BATCH_FORGET,
  OPCODE.INTERRUPT,
  OPCODE.NOTIFY_REPLY,
  OPCODE.INIT,
  OPCODE.DESTROY,
]);

export class RequestJournal {
  /** What the channel reads requests into. */
  readonly memory: ArrayBuffer;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #free: number[] = [];

  /** `memory` has JOURNAL_BYTES bytes: all zero for a new mount, or what an earlier daemon left. */
  constructor(memory: ArrayBuffer) {
    assert(memory.byteLength >= JOURNAL_BYTES, 'the journal is smaller than its layout');
    // The channel reads into it by its address.
    markAsUntransferable(memory);
    this.memory = memory;
    this.#words = new Uint32Array(memory, 0, JOURNAL_BYTES / 4);
    this.#bytes = new Uint8Array(memory, 0, JOURNAL_BYTES);
    for (let slot = limits.fuseJournalSlots - 1; slot >= 0; slot -= 1) {
      if (!this.#isValid(slot)) this.#free.push(slot);
    }
  }

  /** Copies the current request to a slot. Undefined if none is free or the request is too long for one. */
  keep(): number | undefined {
    const lengthBytes = this.#words[LENGTH_WORD] as number;
    if (lengthBytes > limits.fuseJournalSlotBytes - SLOT_HEADER_BYTES) return undefined;
    const slot = this.#free.pop();
    if (slot === undefined) return undefined;
    this.#bytes.copyWithin(bodyOf(slot), 0, lengthBytes);
    Atomics.store(this.#words, wordOf(slot), 1);
    return slot;
  }

  /** The request in the slot was answered. */
  free(slot: number): void {
    Atomics.store(this.#words, wordOf(slot), 0);
    this.#free.push(slot);
  }

  /**
   * Puts everything an earlier daemon left unanswered before `serve`, one after the other in `current`, as the channel does.
   * `slot` is what the request occupies already, to be freed with its answer. Before the channel reads its first request.
   * A death in the middle loses nothing.
   */
  replay(serve: (lengthBytes: number, slot: number | undefined) => void): void {
    const left: number[] = [];
    for (let slot = 0; slot < limits.fuseJournalSlots; slot += 1) if (this.#isValid(slot)) left.push(slot);
    const lengthBytes = this.#repeatable(0, CURRENT_BYTES);
    const isKept = left.some((slot) => this.#isSameAsCurrent(slot));
    if (lengthBytes > 0 && !isKept) serve(lengthBytes, undefined);
    this.#clearCurrent();
    for (const slot of left) this.#replaySlot(slot, serve);
  }

  #replaySlot(slot: number, serve: (lengthBytes: number, slot: number) => void): void {
    const from = bodyOf(slot);
    const lengthBytes = this.#repeatable(from, limits.fuseJournalSlotBytes - SLOT_HEADER_BYTES);
    if (lengthBytes === 0) {
      this.free(slot);
      return;
    }
    // Length and opcode last: with them `current` counts as whole.
    this.#bytes.copyWithin(MARK_BYTES, from + MARK_BYTES, from + lengthBytes);
    this.#words[OPCODE_WORD] = this.#words[from / 4 + OPCODE_WORD] as number;
    Atomics.store(this.#words, LENGTH_WORD, lengthBytes);
    serve(lengthBytes, slot);
    this.#clearCurrent();
  }

  /** Length of the request there; 0 if there is none, or none that may be served again. */
  #repeatable(atByte: number, roomBytes: number): number {
    const lengthBytes = this.#words[atByte / 4 + LENGTH_WORD] as number;
    const opcode = this.#words[atByte / 4 + OPCODE_WORD] as number;
    if (opcode === 0 || lengthBytes < IN_HEADER_BYTES || lengthBytes > roomBytes) return 0;
    return NEVER_REPEATED.has(opcode) ? 0 : lengthBytes;
  }

  #isSameAsCurrent(slot: number): boolean {
    const at = bodyOf(slot) / 4;
    return UNIQUE_WORDS.every((word) => this.#words[word] === this.#words[at + word]);
  }

  #isValid(slot: number): boolean {
    return Atomics.load(this.#words, wordOf(slot)) === 1;
  }

  #clearCurrent(): void {
    Atomics.store(this.#words, LENGTH_WORD, 0);
    this.#words[OPCODE_WORD] = 0;
  }
}

const wordOf = (slot: number): number => (CURRENT_BYTES + slot * limits.fuseJournalSlotBytes) / 4;
const bodyOf = (slot: number): number => CURRENT_BYTES + slot * limits.fuseJournalSlotBytes + SLOT_HEADER_BYTES;
