/** The main thread's end of the FUSE thread. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NegotiatedRecord } from '../fuse/init.ts';
import type { StagedGeneration, Stager } from '../projection/staged-generation.ts';
import type { Digest } from '../store/digest.ts';
import type { AuditBatch } from './audit/audit-event.ts';
import type {
  ConnectionStatistics,
  FromFuseThread,
  FuseThreadData,
  ServedConnection,
  ToFuseThread,
} from './fuse-messages.ts';
import { type FuseServer, startFuseProcess, startFuseWorker } from './fuse-server.ts';

export interface FuseThreadEvents {
  readonly onForgotten: (generation: GenerationId) => void;
  /** Files of audited projections were opened. To be answered with `audited`. */
  readonly onOpened?: (batch: AuditBatch) => void;
  /** A connection is over: unmounted or aborted. */
  readonly onEnded: (name: ServedConnection, errno: number) => void;
  /** Over fuse-native: the name is gone, and a lookup of it through the mount makes the kernel forget it. */
  readonly onLapsed?: (parent: NodeId, name: string) => void;
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

export class FuseThread implements Stager {
  /** Where staged generations go that a thread takes; undefined for a process of its own. */
  readonly #staging: MessagePort | undefined;
  readonly #server: FuseServer;
  readonly #events: FuseThreadEvents;
  readonly #waiting = new Set<Waiting>();
  #failure: Error | undefined;
  #closing = false;
  readonly #watchdog: NodeJS.Timeout;
  #isAsked = false;

  private constructor(data: Omit<FuseThreadData, 'staging'>, events: FuseThreadEvents, inProcess: boolean) {
    const { port1, port2 } = new MessageChannel();
    // Nothing comes from there, and it must not keep the process.
    port1.unref();
    this.#staging = inProcess ? undefined : port1;
    this.#events = events;
    this.#watchdog = setInterval(() => this.#look(), limits.fuseUnansweredMs).unref();
    const serverEvents = {
      onMessage: (message: FromFuseThread) => this.#receive(message),
      onEnd: (error: Error) => {
        if (!this.#closing) this.#fail(error);
      },
    };
    this.#server = inProcess
      ? startFuseProcess({ ...data, staging: undefined }, serverEvents, events.log)
      : startFuseWorker({ ...data, staging: port2 }, serverEvents);
  }

  /** `inProcess`: as a process of its own, for the transport fuse-native. */
  static async start(
    data: Omit<FuseThreadData, 'staging'>,
    events: FuseThreadEvents,
    inProcess = false,
  ): Promise<FuseThread> {
    const thread = new FuseThread(data, events, inProcess);
    await thread.#next('ready');
    return thread;
  }

  /**
   * Serves a device; resolves with what was agreed in INIT, at once if `record` tells what an earlier daemon agreed on.
   * The kernel waits for its reply until `kept` is called. `journal` is the descriptor of the connection's request journal:
   * what an earlier daemon left in it is being worked on when this resolves.
   */
  async serve(
    name: ServedConnection,
    device: number,
    record?: NegotiatedRecord,
    journal?: number,
  ): Promise<NegotiatedRecord> {
    const initialised = this.#next('initialised', (message) => message.name === name);
    this.#say({ type: 'serve', name, device, record, journal });
    return (await initialised).record;
  }

  /**
   * Mounts and serves through fuse-native.
   * @throws DunnageError MISSING_DEPENDENCY without libfuse 2, IO if it cannot mount.
   */
  async mount(name: ServedConnection, mountPoint: string, allowOther: boolean): Promise<void> {
    const outcome = Promise.race([
      this.#next('mounted', (message) => message.name === name),
      this.#next('refused', (message) => message.name === name),
    ]);
    this.#say({ type: 'mount', name, mountPoint, allowOther });
    const said = await outcome;
    if (said.type === 'mounted') return;
    throw new DunnageError(said.code, said.message, said.remedy === undefined ? {} : { remedy: said.remedy });
  }

  /** The record of a new connection is safe: its INIT may be answered. */
  kept(name: ServedConnection): void {
    this.#say({ type: 'kept', name });
  }

  /** Asks the kernel to send again what an earlier daemon read and did not answer. */
  resend(): void {
    this.#say({ type: 'resend' });
  }

  /** After an update: the root of a tree that is taken over has a name more. Resolves when the kernel knows. */
  async showName(name: string): Promise<void> {
    const shown = this.#next('shown', (message) => message.name === name);
    this.#say({ type: 'show-name', name });
    await shown;
  }

  async stage(generation: StagedGeneration): Promise<void> {
    if (this.#staging !== undefined) {
      this.#staging.postMessage(generation);
      return;
    }
    const staged = this.#next('staged', (message) => message.generation === generation.id);
    this.#say({ type: 'stage', generation });
    await staged;
  }

  async abort(generation: GenerationId): Promise<boolean> {
    const aborted = this.#next('aborted', (message) => message.generation === generation);
    this.#say({ type: 'abort', generation });
    return (await aborted).done;
  }

  finishAbort(generation: GenerationId): void {
    this.#say({ type: 'finish-abort', generation });
  }

  dropped(generations: readonly GenerationId[]): void {
    if (generations.length > 0) this.#say({ type: 'dropped', generations });
  }

  /** What is left of the live view's plan towards that generation will not be carried out. */
  giveUpAnnouncement(projection: ProjectionId, towards: GenerationId | 0): void {
    this.#say({ type: 'live-given-up', projection, towards });
  }

  /** Closes what is open of the content's file. */
  forgetContent(digest: Digest): void {
    this.#say({ type: 'forget-content', digest });
  }

  /** Has the kernel forget what it has cached of these nodes. */
  invalidate(nodes: readonly NodeId[]): void {
    this.#say({ type: 'invalidate', nodes });
  }

  /** So many audited opens have been written down. */
  audited(count: number): void {
    this.#say({ type: 'audited', count });
  }

  async statistics(): Promise<readonly ConnectionStatistics[]> {
    const reply = this.#next('statistics');
    this.#say({ type: 'statistics' });
    return (await reply).connections;
  }

  /** Stops serving; the connections stay. */
  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    if (this.#closing || this.#failure !== undefined) return;
    this.#closing = true;
    const closed = this.#next('closed');
    this.#say({ type: 'close' });
    await closed;
    await this.#server.terminate();
  }

  /** A thread that is stuck cannot log the requests it leaves unanswered itself. */
  #look(): void {
    if (this.#isAsked) {
      this.#events.log.error(
        { ms: limits.fuseUnansweredMs },
        'the FUSE thread is stuck: nothing on the mount is answered',
      );
      return;
    }
    this.#isAsked = true;
    this.statistics().then(
      () => {
        this.#isAsked = false;
      },
      // A thread that failed or closed is told of by its own events.
      () => undefined,
    );
  }

  #say(message: ToFuseThread): void {
    this.#server.post(message);
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
    else if (message.type === 'opened') this.#events.onOpened?.(message.batch);
    else if (message.type === 'lapsed') this.#events.onLapsed?.(message.parent, message.name);
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
    clearInterval(this.#watchdog);
    this.#failure = error;
    for (const waiting of this.#waiting) waiting.reject(error);
    this.#waiting.clear();
    this.#events.onFailed(error);
  }
}
