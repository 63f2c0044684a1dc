/**
 * A daemon runs for months beside what it serves, so it is to be small rather than as fast as it could be. Left alone, each
 * of its JavaScript heaps takes up to 48 MiB for new objects and lets old ones grow to several times what lives of them.
 */
import { setFlagsFromString } from 'node:v8';

/** Two MiB each of the halves for new objects, and a collection as soon as the old ones have grown by a third. */
export const HEAP_OPTIONS: readonly string[] = ['--max-semi-space-size=2', '--optimize-for-size'];

/**
 * For a process that was started without these options: then they hold for its further threads, and for this one as far as
 * a running heap can be told. Preconditions: the threads have not started.
 */
export function limitHeaps(): void {
  for (const option of HEAP_OPTIONS) setFlagsFromString(option);
}
