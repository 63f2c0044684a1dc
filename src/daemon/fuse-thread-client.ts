/** The main thread's end of the FUSE thread. */
import { Worker } from 'node:worker_threads';
import type { GenerationId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NegotiatedRecord } from '../fuse/init.ts';
import type {
  ConnectionName,
  ConnectionStatistics,
  FromFuseThread,
  FuseThreadData,
  ToFuseThread,
} from './fuse-messages.ts';

export interface FuseThreadEvents {
  readonly onForgotten: (generation: GenerationId) => void;
  /** A connection is over: unmounted or aborted. */
  readonly onEnded: (name: ConnectionName, errno: number) => void;
  /** The thread broke; nobody serves the connections any more. */
  readonly onFailed: (error: Error) => void;
  readonly log: Log;
}

type Reply<Type extends FromFuseThread['type']> = Extract<FromFuseThread, { type: Type }>;

interface Waiting {
  readonly matches: (message: FromFuseThread) => boolean;
  readonly resolve: (message: FromFuseThread) => void;
  readonly reject: (error: Error) => void;
}

export class FuseThread {
  readonly #worker: Worker;
  readonly #events: FuseThreadEvents;
  readonly #waiting = new Set<Waiting>();
  #failure: Error | undefined;
  #closing = false;

  private constructor(worker: Worker, events: FuseThreadEvents) {
    this.#worker = worker;
    this.#events = events;
    worker.on('message', (message: FromFuseThread) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => {
      if (!this.#closing) this.#fail(new DunnageError('INTERNAL', 'the FUSE thread ended by itself'));
    });
  }

  static async start(data: FuseThreadData, events: FuseThreadEvents): Promise<FuseThread> {
    const worker = new Worker(new URL('./fuse-thread.js', import.meta.url), { workerData: data, name: 'fuse' });
    const thread = new FuseThread(worker, events);
    await thread.#next('ready');
    return thread;
  }

  /** Serves a device; resolves when INIT was answered, at once if `record` tells what an earlier daemon negotiated. */
  async serve(name: ConnectionName, device: number, record?: NegotiatedRecord): Promise<NegotiatedRecord> {
    const initialised = this.#next('initialised', (message) => message.name === name);
    this.#say({ type: 'serve', name, device, record });
    return (await initialised).record;
  }

  /** Asks the kernel to send again what an earlier daemon read and did not answer. */
  resend(): void {
    this.#say({ type: 'resend' });
  }

  drain(generation: GenerationId): void {
    this.#say({ type: 'drain', generation });
  }

  async statistics(): Promise<readonly ConnectionStatistics[]> {
    const reply = this.#next('statistics');
    this.#say({ type: 'statistics' });
    return (await reply).connections;
  }

  /** Stops serving; the connections stay. */
  async close(): Promise<void> {
    if (this.#closing || this.#failure !== undefined) return;
    this.#closing = true;
    const closed = this.#next('closed');
    this.#say({ type: 'close' });
    await closed;
    await this.#worker.terminate();
  }

  #say(message: ToFuseThread): void {
    this.#worker.postMessage(message);
  }

  #next<Type extends FromFuseThread['type']>(
    type: Type,
    accept: (message: Reply<Type>) => boolean = () => true,
  ): Promise<Reply<Type>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting.add({
        matches: (message) => message.type === type && accept(message as Reply<Type>),
        resolve: (message) => resolve(message as Reply<Type>),
        reject,
      });
    });
  }

  #receive(message: FromFuseThread): void {
    if (message.type === 'log') this.#events.log[message.level](message.fields, message.message);
    else if (message.type === 'forgotten') this.#events.onForgotten(message.generation);
    else if (message.type === 'ended') this.#events.onEnded(message.name, message.errno);
    for (const waiting of [...this.#waiting]) {
      if (!waiting.matches(message)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(message);
      return;
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const waiting of this.#waiting) waiting.reject(error);
    this.#waiting.clear();
    this.#events.onFailed(error);
  }
}
