/** One thread with one job on an archive: start, pieces in or out, end. */
import { Worker } from 'node:worker_threads';
import { DunnageError } from '../../errors/dunnage-error.ts';
import {
  type FromThread,
  PIECES_AHEAD,
  SHARED,
  type SnapshotJob,
  type SnapshotReport,
  type ToThread,
  type UnpackSummary,
} from './messages.ts';

type End = SnapshotReport | UnpackSummary;

export class SnapshotThread {
  readonly #worker: Worker;
  readonly #shared = new Int32Array(new SharedArrayBuffer(SHARED.words * Int32Array.BYTES_PER_ELEMENT));
  readonly #end: Promise<End>;
  #sent = 0;
  #taken = 0;
  #onTaken: () => void = () => undefined;
  /** Gets what comes out, in order; a promise holds the next one up. */
  #receive: (bytes: Uint8Array) => Promise<void> | void = () => undefined;
  #delivering: Promise<void> = Promise.resolve();

  constructor(job: SnapshotJob) {
    // Descriptors come from the addon there, which Node knows nothing of.
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { job, shared: this.#shared },
      trackUnmanagedFds: false,
      name: 'archive',
    });
    this.#end = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromThread) => this.#hear(message, resolve, reject));
      this.#worker.on('error', reject);
      this.#worker.on('exit', () => reject(new DunnageError('INTERNAL', 'the thread for archives ended by itself')));
    });
    // Whoever waits for it hears of a failure; nobody may be waiting yet.
    this.#end.catch(() => undefined);
  }

  /** What is done with the pieces that come out. To be said before anything else runs. */
  onPiece(receive: (bytes: Uint8Array) => Promise<void> | void): void {
    this.#receive = receive;
  }

  /** Resolves when the job is done and every piece was taken. @throws DunnageError of what failed there, or in taking. */
  async end(): Promise<End> {
    try {
      return await this.#end;
    } finally {
      // What came out before a failure is delivered too.
      await this.#delivering;
    }
  }

  /** Gives it a piece, whose memory is given away; undefined is the end. Waits while too many are on their way. */
  async give(bytes: Uint8Array | undefined): Promise<void> {
    const message: ToThread = { kind: 'piece', bytes };
    this.#worker.postMessage(message, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer]);
    this.#sent += 1;
    while (this.#sent - this.#taken >= PIECES_AHEAD) {
      const taken = new Promise<void>((resolve) => {
        this.#onTaken = resolve;
      });
      // If it fails, nothing is taken any more.
      await Promise.race([taken, this.#end]);
    }
  }

  /** It stops at the next opportunity, with INTERRUPTED. */
  stop(): void {
    Atomics.store(this.#shared, SHARED.stop, 1);
    Atomics.add(this.#shared, SHARED.taken, 1);
    Atomics.notify(this.#shared, SHARED.taken);
    this.#worker.postMessage({ kind: 'piece', bytes: undefined } satisfies ToThread);
  }

  /** Resolves when the thread is no more: nothing is read or written by it from then on. */
  async close(): Promise<void> {
    this.stop();
    await this.#worker.terminate();
  }

  #hear(message: FromThread, resolve: (end: End) => void, reject: (error: Error) => void): void {
    if (message.kind === 'taken') {
      this.#taken += 1;
      this.#onTaken();
    } else if (message.kind === 'snapshot') resolve(message.report);
    else if (message.kind === 'unpacked') resolve(message.summary);
    else if (message.kind === 'failed') {
      const { code, message: text, remedy } = message;
      reject(new DunnageError(code, text, remedy === undefined ? {} : { remedy }));
    } else this.#deliver(message.bytes, reject);
  }

  #deliver(bytes: Uint8Array, reject: (error: Error) => void): void {
    this.#delivering = this.#delivering.then(async () => {
      await this.#receive(bytes);
      Atomics.add(this.#shared, SHARED.taken, 1);
      Atomics.notify(this.#shared, SHARED.taken);
    });
    this.#delivering.catch((error: Error) => {
      reject(error);
      this.stop();
    });
  }
}
