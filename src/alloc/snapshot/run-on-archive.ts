/** Has a thread do a job that reads an archive (or none), until it is done, fails or is stopped. */
import type { Readable } from 'node:stream';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { giveArchive } from './give-archive.ts';
import type { SnapshotJob, UnpackSummary } from './messages.ts';
import { SnapshotThread } from './snapshot-thread.ts';

/** When this settles, nothing is written by it any more. An input that is not read to its end is closed. */
export async function runOnArchive(
  job: Exclude<SnapshotJob, { readonly kind: 'snapshot' }>,
  input: AsyncIterable<Uint8Array> | undefined,
  signal: AbortSignal | undefined,
): Promise<UnpackSummary> {
  const thread = new SnapshotThread(job);
  const stop = (): void => thread.stop();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  const giving = input === undefined ? thread.end() : giveArchive(thread, input);
  giving.catch(() => undefined);
  try {
    // The job may fail, or be stopped, while the input says nothing.
    return (await Promise.race([giving, thread.end()])) as UnpackSummary;
  } catch (error) {
    // An input that failed is not the end of the job: nothing of it may go on.
    thread.stop();
    await thread.end().catch(() => undefined);
    closeInput(input);
    if (!signal?.aborted) throw error;
    throw new DunnageError('INTERRUPTED', 'unpacking was stopped on request', { cause: signal.reason });
  } finally {
    signal?.removeEventListener('abort', stop);
    await thread.close();
  }
}

/** One that waits for more would wait for ever. */
function closeInput(input: AsyncIterable<Uint8Array> | undefined): void {
  const { destroy } = (input ?? {}) as Partial<Pick<Readable, 'destroy'>>;
  if (typeof destroy === 'function') (input as unknown as Readable).on('error', () => undefined).destroy();
}
