/** Waits until one of the processes that are in the way ends. */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { MountHolder } from '../mounts/mount-holders.ts';
import { loadNative } from '../native/load.ts';
import { systemCode } from '../native/system-error.ts';

/** A process may let go without ending, and who cannot be named cannot be watched: nobody tells that. */
const LOOK_AGAIN_MS = 1_000;

/** @throws DunnageError INTERRUPTED by the signal. */
export async function waitForHolders(holders: readonly MountHolder[], signal: AbortSignal | undefined): Promise<void> {
  const native = loadNative();
  const descriptors: number[] = [];
  const stops: (() => void)[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      const abort = (): void =>
        reject(
          new DunnageError('INTERRUPTED', 'stopped while it waited for processes to end', { cause: signal?.reason }),
        );
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort);
      stops.push(
        () => clearTimeout(timer),
        () => signal?.removeEventListener('abort', abort),
      );
      for (const { pid } of holders) {
        const descriptor = openProcess(pid);
        if (descriptor === undefined) return resolve();
        descriptors.push(descriptor);
        stops.push(native.watchReadable(descriptor, resolve));
      }
    });
  } finally {
    for (const stop of stops) stop();
    for (const descriptor of descriptors) native.closeDescriptor(descriptor);
  }
}

/** Undefined if it has ended. */
function openProcess(pid: number): number | undefined {
  try {
    return loadNative().openProcess(pid);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
