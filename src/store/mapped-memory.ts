/**
 * Every page of the metadata that was ever read stays mapped, and counts as memory of the daemon, until the kernel wants it
 * back: after a look at everything the whole file does. The pages are in the page cache in any case, and to map them again
 * costs next to nothing; so they are let go of when they are many.
 */
import { readFileSync } from 'node:fs';
import type { Log } from '../base/log.ts';
import { loadNative } from '../native/load.ts';

const CHECK_MS = 1_000;
/** While the daemon works hard it touches the whole file in less than a second: then it looks often, for a while. */
const CHECK_BUSY_MS = 100;
const BUSY_CHECKS = 50;
const PAGE_BYTES = 4096;

/** Resident pages of files and of shared memory: the third number. */
const STATM = /^\d+ \d+ (\d+)/;

export class MappedMemory {
  readonly #path: string;
  readonly #log: Log;
  readonly #growthBytesMax: number;
  #timer: NodeJS.Timeout | undefined;
  /** What is mapped of programs and libraries, as far as seen. */
  #leastBytes: number;

  /** `growthBytesMax`: more than that beyond the rest that is mapped is let go of. */
  constructor(path: string, log: Log, growthBytesMax: number) {
    this.#path = path;
    this.#log = log;
    this.#growthBytesMax = growthBytesMax;
    this.#leastBytes = mappedBytes();
    this.#checkLater();
  }

  /** `quickChecks`: how many are left until it is slow again. */
  #checkLater(quickChecks = 0): void {
    const check = (): void => this.#checkLater(this.check() ? BUSY_CHECKS : Math.max(0, quickChecks - 1));
    this.#timer = setTimeout(check, quickChecks > 0 ? CHECK_BUSY_MS : CHECK_MS).unref();
  }

  /** Returns whether pages were let go of. */
  check(): boolean {
    const bytes = mappedBytes();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (bytes - this.#leastBytes <= this.#growthBytesMax) return false;
    try {
      loadNative().dropMappedPages(this.#path);
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'mapped pages of the metadata stay resident');
      return false;
    }
    this.#leastBytes = mappedBytes();
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

function mappedBytes(): number {
  return Number(STATM.exec(readFileSync('/proc/self/statm', 'latin1'))?.[1] ?? 0) * PAGE_BYTES;
}
