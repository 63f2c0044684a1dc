/** One job on an archive, done by a thread: start, pieces in or out, end. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { PIECE_BYTES } from '../../tar/piece-memory.ts';
import { ArchiveWorker } from './archive-worker.ts';
import {
  type FromThread,
  PIECES_AHEAD,
  type SnapshotJob,
  type SnapshotReport,
  type UnpackSummary,
} from './messages.ts';

type End = SnapshotReport | UnpackSummary;

/** `giveBack` may be called once nobody needs the piece's memory any more. A promise holds the next piece up. */
export type ReceivePiece = (bytes: Uint8Array, giveBack: () => void) => Promise<void> | void;

export class SnapshotThread {
  readonly #worker: ArchiveWorker;
  readonly #end: Promise<End>;
  #hasEnded = false;
  #sent = 0;
  #taken = 0;
  #onTaken: () => void = () => undefined;
  #receive: ReceivePiece = () => undefined;
  #delivering: Promise<void> = Promise.resolve();
  #settle!: { resolve: (end: End) => void; reject: (error: Error) => void };

  constructor(job: SnapshotJob) {
    this.#end = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever waits for it hears of a failure; nobody may be waiting yet.
    this.#end.catch(() => undefined);
    this.#worker = ArchiveWorker.start(job, {
      hear: (message) => this.#hear(message),
      fail: (error) => this.#settle.reject(new DunnageError('INTERNAL', error.message, { cause: error })),
    });
  }

  /** What is done with the pieces that come out, in order. To be said before anything else runs. */
  onPiece(receive: ReceivePiece): void {
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
    this.#worker.post({ kind: 'piece', bytes }, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer]);
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
    if (!this.#hasEnded) this.#worker.stop();
  }

  /** Resolves when the job has ended or its thread is no more: nothing is read or written by it from then on. */
  async close(): Promise<void> {
    if (this.#hasEnded) await this.#worker.release();
    else await this.#worker.terminate();
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'piece':
        this.#deliver(message.bytes);
        return;
      case 'taken':
        this.#taken += 1;
        this.#onTaken();
        return;
      case 'snapshot':
        this.#hasEnded = true;
        this.#settle.resolve(message.report);
        return;
      case 'unpacked':
        this.#hasEnded = true;
        this.#settle.resolve(message.summary);
        return;
      case 'failed': {
        this.#hasEnded = true;
        const { code, message: text, remedy } = message;
        this.#settle.reject(new DunnageError(code, text, remedy === undefined ? {} : { remedy }));
      }
    }
  }

  #deliver(bytes: Uint8Array): void {
    this.#delivering = this.#delivering.then(async () => {
      await this.#receive(bytes, () => this.#giveBack(bytes));
      this.#worker.taken();
    });
    this.#delivering.catch((error: Error) => {
      this.#settle.reject(error);
      this.stop();
    });
  }

  #giveBack({ buffer }: Uint8Array): void {
    const memory = buffer as ArrayBuffer;
    if (!this.#hasEnded && memory.byteLength === PIECE_BYTES) this.#worker.post({ kind: 'memory', memory }, [memory]);
  }
}
