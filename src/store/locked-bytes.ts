/**
 * Memory for keys: a few bytes that the kernel neither swaps out nor writes into a core dump. Another thread of the process
 * maps the same bytes by a descriptor, so that no copy travels through a message.
 *
 * mlockall(2) is not used: it would pin all that V8 and LMDB have mapped.
 */
import { constants } from 'node:os';
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';

/** One page: mlock(2) and madvise(2) work on whole ones. */
const PAGE_BYTES = 4096;

export interface SharedBytes {
  /** Valid in every thread of the process. */
  readonly descriptor: number;
  readonly copy: LockedBytes;
  readonly release: () => void;
}

export interface PinnedFile {
  readonly pinned: Uint8Array | undefined;
  readonly lockErrno: number;
}

export class LockedBytes {
  /** Zero at first, unless it was shared. */
  readonly bytes: Uint8Array;
  /** Why the bytes may be swapped out all the same: the errno of mlock(2), RLIMIT_MEMLOCK as a rule; ENOSYS without the addon; 0 if they cannot be. */
  readonly lockErrno: number;

  private constructor(bytes: Uint8Array, lockErrno: number) {
    this.bytes = bytes;
    this.lockErrno = lockErrno;
  }

  static #map(descriptor: number): LockedBytes {
    const native = loadNative();
    const bytes = new Uint8Array(native.mapShared(descriptor, PAGE_BYTES));
    return new LockedBytes(bytes, native.lockMemory(bytes));
  }

  /** At most 4096 bytes can be used. Without the addon they are ordinary memory. */
  static allocate(): LockedBytes {
    const descriptor = orWithoutAddon(() => loadNative().createMemfd('dunnage-key', PAGE_BYTES));
    if (descriptor === undefined) return new LockedBytes(new Uint8Array(PAGE_BYTES), constants.errno.ENOSYS);
    try {
      return LockedBytes.#map(descriptor);
    } finally {
      // The mapping holds the pages.
      loadNative().closeDescriptor(descriptor);
    }
  }

  /** The bytes that another thread `share`d; its descriptor stays its own. */
  static ofShared(descriptor: number): LockedBytes {
    return LockedBytes.#map(descriptor);
  }

  /** A copy for another thread of this process, which needs the addon and maps it with `ofShared`. To be released when it has. */
  share(): SharedBytes {
    const native = loadNative();
    const descriptor = native.createMemfd('dunnage-key', PAGE_BYTES);
    // Held with the descriptor: what is mapped nowhere is not locked.
    const copy = LockedBytes.#map(descriptor);
    copy.bytes.set(this.bytes);
    return { descriptor, release: () => native.closeDescriptor(descriptor), copy };
  }

  /** Pins the pages of an open file (its first bytes) of a tmpfs in memory, for as long as the result is referred to. */
  static pin(descriptor: number, sizeBytes: number): PinnedFile {
    const native = loadNative();
    const mapped = orWithoutAddon(() => native.mapShared(descriptor, sizeBytes));
    if (mapped === undefined) return { pinned: undefined, lockErrno: constants.errno.ENOSYS };
    const pinned = new Uint8Array(mapped);
    return { pinned, lockErrno: native.lockMemory(pinned) };
  }
}

/** Undefined if there is no addon to do it. */
function orWithoutAddon<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'MISSING_DEPENDENCY') return undefined;
    throw error;
  }
}
