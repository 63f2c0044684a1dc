/** Copies or removes a tree in a thread of its own: the system calls of large trees would hold up everything else here. */
import { Worker } from 'node:worker_threads';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { TreeEnd, TreeJob, TreeProgress } from './job.ts';

export interface TreeJobOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of content that are done so far. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * A copy is on the disk when this resolves. What was done when it is aborted stays.
 * @throws DunnageError of what failed; INTERRUPTED if it was aborted.
 */
export async function runTreeJob(job: TreeJob, { signal, onProgress }: TreeJobOptions = {}): Promise<void> {
  if (signal?.aborted) throw new DunnageError('INTERRUPTED', 'stopped on request', { cause: signal.reason });
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const abort = (): void => void Atomics.store(stop, 0, 1);
  // Descriptors come from the addon there, which Node knows nothing of.
  const options = { workerData: { job, stop }, trackUnmanagedFds: false };
  const worker = new Worker(new URL('./worker.js', import.meta.url), options);
  signal?.addEventListener('abort', abort);
  try {
    const end = await endOf(worker, onProgress);
    if (end.kind === 'failed') {
      throw new DunnageError(end.code, end.message, end.remedy === undefined ? {} : { remedy: end.remedy });
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    await worker.terminate();
  }
}

function endOf(worker: Worker, onProgress: ((doneBytes: number) => void) | undefined): Promise<TreeEnd> {
  let doneBytes = 0;
  return new Promise((resolve, reject) => {
    worker.on('message', (message: TreeProgress | TreeEnd) => {
      if (message.kind !== 'progress') return resolve(message);
      doneBytes += message.doneBytes;
      onProgress?.(doneBytes);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new DunnageError('INTERNAL', `the thread for trees ended with code ${code}`)));
  });
}
