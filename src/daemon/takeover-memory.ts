/**
 * The shared memory that outlives a daemon: what the kernel remembers of generations, and the names of unpublished ones. The
 * holder keeps it; the FUSE thread writes it.
 */
import { loadNative } from '../native/load.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../projection/lookup-table.ts';
import { PENDING_SLOT_BYTES, PendingTable } from '../projection/pending-table.ts';

/** Generations and live files the kernel may remember at once, and swaps that may be under way. Untouched pages take no memory. */
const LOOKUPS_BYTES = 1_048_576 * LOOKUP_SLOT_BYTES;
const PENDING_BYTES = 16_384 * PENDING_SLOT_BYTES;

export const TAKEOVER_MEMORY_BYTES: number = LOOKUPS_BYTES + PENDING_BYTES;

/** The memory behind the descriptor; without one, memory of this process alone, which is lost with it. */
export function takeoverMemory(descriptor: number | undefined): ArrayBuffer {
  if (descriptor === undefined) return new ArrayBuffer(TAKEOVER_MEMORY_BYTES);
  return loadNative().mapShared(descriptor, TAKEOVER_MEMORY_BYTES);
}

export function lookupsIn(memory: ArrayBuffer): LookupTable {
  return new LookupTable(memory, LOOKUPS_BYTES);
}

export function pendingIn(memory: ArrayBuffer): PendingTable {
  return new PendingTable(memory, LOOKUPS_BYTES);
}
