/**
 * The threads that jobs on archives run in. One that has ended its job waits a while for the next: to start a thread takes longer
 * than a small archive does.
 */
import { Worker } from 'node:worker_threads';
import { type FromThread, SHARED, type SnapshotJob, type SnapshotThreadData, type ToThread } from './messages.ts';

const IDLE_MS = 60_000;
const IDLE_MAX = 1;

export interface JobListener {
  hear(message: FromThread): void;
  /** The thread is no more: nothing is heard of the job. */
  fail(error: Error): void;
}

export class ArchiveWorker {
  static readonly #idle: ArchiveWorker[] = [];
  readonly #shared = new Int32Array(new SharedArrayBuffer(SHARED.words * Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Worker;
  #listener: JobListener | undefined;
  #expiry: NodeJS.Timeout | undefined;

  private constructor() {
    const workerData: SnapshotThreadData = { shared: this.#shared };
    // Descriptors come from the addon there, which Node knows nothing of.
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData,
      trackUnmanagedFds: false,
      name: 'archive',
    });
    this.#worker.on('message', (message: FromThread) => this.#listener?.hear(message));
    this.#worker.on('error', (error) => this.#lost(error));
    this.#worker.on('exit', () => this.#lost(new Error('the thread for archives ended by itself')));
  }

  /** Begins the job on a thread that has none. */
  static start(job: SnapshotJob, listener: JobListener): ArchiveWorker {
    const worker = ArchiveWorker.#idle.pop() ?? new ArchiveWorker();
    worker.#begin(job, listener);
    return worker;
  }

  post(message: ToThread, memory: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, memory);
  }

  /** One more piece was taken: the thread may go on. */
  taken(): void {
    Atomics.add(this.#shared, SHARED.taken, 1);
    Atomics.notify(this.#shared, SHARED.taken);
  }

  /** The job ends with INTERRUPTED at the next opportunity. */
  stop(): void {
    Atomics.store(this.#shared, SHARED.stop, 1);
    this.taken();
    this.post({ kind: 'piece', bytes: undefined });
  }

  /** Its job has ended: it may get another one. */
  release(): Promise<void> {
    if (ArchiveWorker.#idle.length >= IDLE_MAX) return this.terminate();
    this.#listener = undefined;
    this.#worker.unref();
    this.#expiry = setTimeout(() => void this.terminate(), IDLE_MS).unref();
    ArchiveWorker.#idle.push(this);
    return Promise.resolve();
  }

  /** Resolves when the thread is no more: nothing is read or written by it from then on. */
  async terminate(): Promise<void> {
    this.#forget();
    await this.#worker.terminate();
  }

  #begin(job: SnapshotJob, listener: JobListener): void {
    clearTimeout(this.#expiry);
    this.#listener = listener;
    this.#worker.ref();
    this.#shared.fill(0);
    this.post({ kind: 'job', job });
  }

  #lost(error: Error): void {
    this.#forget();
    this.#listener?.fail(error);
  }

  #forget(): void {
    clearTimeout(this.#expiry);
    const index = ArchiveWorker.#idle.indexOf(this);
    if (index >= 0) ArchiveWorker.#idle.splice(index, 1);
  }
}
