/**
 * Writes records of commits that are still to be made, on the guess that each will be the next (commit-log.ts): so that they are on disk when the
 * commit comes. One thread of a process does this, which need not be the one that makes the commits; nobody else writes to these slots, but for the
 * mark of what is decided.
 *
 *   reserved -> begun -> [written] -> ended (the commit was made, from this record or another) -> used again when a newer root has made it void
 *                                  -> void (it will not be made)
 */
import type { CommitChain } from './commit-chain.ts';
import { AHEAD_SLOT_BYTES, AHEAD_SLOTS, aheadOffsetBytes, encodeLogSlot, VOID_HEAD } from './commit-log.ts';
import { newestMeta } from './data-file.ts';
import type { RecordDisk } from './record-disk.ts';

export interface AheadRecordsOptions {
  /** Of the data file. */
  readonly path: string;
  readonly dataFd: number;
  readonly logFd: number;
  readonly disk: RecordDisk;
  readonly chain: CommitChain;
  /** The disk failed: every later change is refused. Returns the error that says so. */
  readonly onFailure: (cause: unknown) => Error;
}

interface Slot {
  /** Of the record that is there, or may be. */
  base: bigint | undefined;
  isReserved: boolean;
  /** Settled when nothing is on its way to it. */
  written: Promise<void>;
}

export class AheadRecords {
  readonly #options: AheadRecordsOptions;
  readonly #slots: Slot[] = Array.from({ length: AHEAD_SLOTS }, () => ({
    base: undefined,
    isReserved: false,
    written: Promise.resolve(),
  }));
  readonly #busy = new Set<Promise<void>>();
  #next = 0;

  constructor(options: AheadRecordsOptions) {
    this.#options = options;
  }

  /** A slot for one commit; undefined if all are in use. `end` or `void` follows. */
  reserve(): number | undefined {
    for (let looks = 0; looks < AHEAD_SLOTS; looks += 1) {
      const index = this.#next;
      this.#next = (index + 1) % AHEAD_SLOTS;
      const slot = this.#slots[index];
      if (slot === undefined || !this.#isFree(slot)) continue;
      slot.isReserved = true;
      slot.base = undefined;
      this.#options.chain.setAheadBase(index, undefined);
      return index;
    }
    return undefined;
  }

  /** What it holds is void by a newer root, if it holds anything. */
  #isFree({ isReserved, base }: Slot): boolean {
    return !isReserved && (base === undefined || base < this.#options.chain.durable);
  }

  /** Begins to write the record; nothing happens if that would be of no use. */
  begin(index: number, record: () => Uint8Array): void {
    const slot = this.#slots[index];
    const { chain, path, dataFd, logFd, disk } = this.#options;
    const base = newestMeta(dataFd, path).transaction;
    const needed = chain.neededUpTo(base);
    if (slot === undefined || needed === undefined) return;
    const bytes = encodeLogSlot({ base, needed, epoch: chain.epoch, bytes: record() }, AHEAD_SLOT_BYTES);
    if (bytes === undefined) return;
    slot.base = base;
    chain.setAheadBase(index, base);
    this.#keep(slot, disk.record(logFd, bytes, aheadOffsetBytes(index), chain.aheadDone(index)));
  }

  /** The commit was made. */
  end(index: number): void {
    const slot = this.#slots[index];
    void slot?.written.then(() => {
      slot.isReserved = false;
    });
  }

  /** The commit will not be made. Nobody may be told of that before this resolves; rejects if the disk fails. */
  async void(index: number): Promise<void> {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    const { disk, logFd, chain, onFailure } = this.#options;
    chain.setAheadBase(index, undefined);
    await slot.written;
    if (slot.base !== undefined) {
      const made = disk.record(logFd, VOID_HEAD, aheadOffsetBytes(index), new Uint8Array(1));
      this.#keep(slot, made);
      // What is still there may be carried out: whoever gave it up must not be told that it is gone.
      await made.catch((error: unknown) => {
        throw onFailure(error);
      });
      slot.base = undefined;
    }
    slot.isReserved = false;
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  /** Resolves when nothing is being written, and nothing that was is taken for a change that is still to be made. */
  async close(): Promise<void> {
    await this.settled();
    const { chain } = this.#options;
    for (const [index, { base }] of this.#slots.entries()) {
      if (base !== undefined && base >= chain.durable) await this.void(index);
    }
  }

  #keep(slot: Slot, written: Promise<void>): void {
    slot.written = written.catch((error: unknown) => {
      this.#options.onFailure(error);
    });
    const { written: settled } = slot;
    this.#busy.add(settled);
    void settled.then(() => this.#busy.delete(settled));
  }
}
