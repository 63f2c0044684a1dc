/**
 * Joins one file system to one /dev/fuse descriptor, in the event loop of the thread that makes it (main or worker).
 *
 * Life: made -> `start` -> INIT answered, or resumed with the record of an earlier INIT -> serving -> ended (`onEnd`:
 * unmounted or aborted from outside) and closed (`close`), in whichever order they come. The descriptor stays the
 * caller's throughout.
 */
import { constants } from 'node:os';
import { type Clock, systemClock } from '../base/clock.ts';
import type { NodeId } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Channel, NativeBinding } from '../native/binding.ts';
import { loadNative } from '../native/load.ts';
import type { Awaitable, FileSystem } from '../vfs/file-system.ts';
import type { KernelCache } from '../vfs/ports.ts';
import { Exchange } from './exchange.ts';
import { InFlight } from './in-flight.ts';
import { type InitOffer, type NegotiatedRecord, negotiate } from './init.ts';
import { ChannelKernelCache } from './kernel-cache.ts';
import { handlerTable } from './operations/table.ts';
import type { Profile } from './profiles.ts';
import type { RequestJournal } from './request-journal.ts';
import { type ConnectionStatistics, RequestCounters } from './statistics.ts';

export interface ConnectionOptions {
  /** For logs: `root`, `projections`. */
  readonly name: string;
  /** Opened /dev/fuse, non-blocking, already given to mount(2). */
  readonly device: number;
  readonly fileSystem: FileSystem;
  readonly profile: Profile;
  readonly log: Log;
  /** The record of the INIT that an earlier daemon answered on this descriptor: none will come. */
  readonly resume?: NegotiatedRecord;
  /**
   * Keeps what is unanswered for the next daemon, on a kernel without HAS_RESEND; otherwise only its memory is used, as the
   * request buffer. With `resume`, what an earlier daemon left in it is served first.
   */
  readonly journal?: RequestJournal;
  /**
   * INIT is agreed on, and is answered when this returns or resolves: a record that is kept for a takeover is safe before
   * the kernel relies on it. If it fails the mount fails with EIO.
   */
  onInit(record: NegotiatedRecord): Awaitable<void>;
  /** The connection is over: ENODEV after an unmount, ECONNABORTED after an abort. Called at most once; `close` is still due. */
  onEnd(errno: number): void;
  /** The kernel is too old to be served; the mount answers ECONNREFUSED to everybody and is to be unmounted. */
  onRefused?(error: DunnageError): void;
  /** Stands in for the addon in tests. */
  readonly createChannel?: NativeBinding['createChannel'];
  readonly clock?: Clock;
}

/** How long `close` waits for notifications: one may be blocked on a directory some process holds. */
const NOTIFIER_DRAIN_MS = 2_000;
/** The protocol that knows NOTIFY_PRUNE. */
const PRUNE_MINOR = 45;
const { EPROTO } = constants.errno;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #channel: Channel;
  readonly #kernelCache: ChannelKernelCache;
  readonly #counters = new RequestCounters();
  readonly #inFlight: InFlight;
  readonly #exchange: Exchange;
  #minor = 0;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { name, log, clock = systemClock } = options;
    const createChannel = options.createChannel ?? ((device, settings) => loadNative().createChannel(device, settings));
    this.#channel = createChannel(options.device, {
      bufferSizeBytes: limits.fuseWriteBytesMax + limits.fuseHeaderBytesMax,
      ...(options.journal === undefined ? {} : { requestBuffer: options.journal.memory }),
      requestsPerTurn: limits.fuseRequestsPerTurn,
      onRequest: (lengthBytes) => {
        this.#exchange.receive(lengthBytes);
        return this.#inFlight.size === 0;
      },
      onEnd: (errno) => this.#end(errno),
    });
    this.#kernelCache = new ChannelKernelCache(this.#channel);
    this.#inFlight = new InFlight({ name, log, clock, unansweredMs: limits.fuseUnansweredMs });
    this.#exchange = new Exchange({
      name,
      log,
      channel: this.#channel,
      fileSystem: options.fileSystem,
      kernelCache: this.#kernelCache,
      inFlight: this.#inFlight,
      counters: this.#counters,
      handlers: handlerTable(() => this.#init()),
    });
    if (options.resume !== undefined) this.#agreed(options.resume);
  }

  get kernelCache(): KernelCache {
    return this.#kernelCache;
  }

  /** Has the kernel forget nodes that nobody uses, so that they are no longer counted as known. Before Linux 6.18 it keeps them. */
  prune(nodes: readonly NodeId[]): void {
    if (this.#minor >= PRUNE_MINOR && nodes.length > 0) this.#kernelCache.prune(nodes);
  }

  /** Resolves when every notification so far was written. */
  async notified(): Promise<void> {
    await this.#channel.notifierDrained();
  }

  /** Begins to serve: first what an earlier daemon left in the journal, then what the kernel sends. */
  start(): void {
    if (this.#options.resume !== undefined) this.#exchange.replay();
    this.#channel.start();
  }

  /**
   * After `start` of a resumed connection: has the kernel send again what the earlier daemon read and did not answer.
   * Without HAS_RESEND (before Linux 6.9) that is the journal's part.
   */
  requestResend(): void {
    if (this.#exchange.features.has('HAS_RESEND')) this.#kernelCache.requestResend();
  }

  statistics(): ConnectionStatistics {
    const notifier = this.#channel.notifierStatus();
    return {
      requests: this.#counters.total,
      operations: this.#counters.byName(),
      inFlight: this.#inFlight.size,
      unanswered: this.#inFlight.unansweredNow,
      unansweredEver: this.#inFlight.unansweredEver,
      malformed: this.#counters.malformed,
      exceptions: this.#counters.exceptions,
      failedReplies: this.#counters.failedReplies,
      unjournaled: this.#counters.unjournaled,
      pendingNotifications: notifier.pending,
      failedNotifications: notifier.failed,
    };
  }

  /**
   * Stops serving. Requests go on being answered until the notifier has written what is queued (a notification may wait
   * for one of them), at most two seconds. What is in flight stays unanswered: the kernel (or the journal)
   * gives it to whoever takes over, or the kernel fails it when the descriptor is closed. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, NOTIFIER_DRAIN_MS);
    });
    await Promise.race([this.#channel.notifierDrained(), bound]);
    clearTimeout(timer);
    this.#exchange.close();
    await this.#channel.close();
  }

  #end(errno: number): void {
    this.#exchange.close();
    this.#options.onEnd(errno);
  }

  #agreed(record: NegotiatedRecord): void {
    this.#exchange.features = new Set(record.features);
    this.#minor = record.minor;
    this.#exchange.journal = record.features.includes('HAS_RESEND') ? undefined : this.#options.journal;
  }

  #init(): void {
    const exchange = this.#exchange;
    try {
      const { reply, negotiated } = negotiate(readOffer(exchange), this.#options.profile);
      if (negotiated === undefined) {
        exchange.answer(reply, (writer, bytes) => writer.raw(bytes));
        return;
      }
      const { name, log, onInit } = this.#options;
      log.debug({ connection: name, minor: negotiated.minor, features: negotiated.features }, 'INIT');
      this.#agreed(negotiated);
      const kept = onInit.call(this.#options, negotiated);
      exchange.answer(kept, (writer) => writer.raw(reply));
    } catch (error) {
      if (!(error instanceof DunnageError) || error.code !== 'NOT_SUPPORTED') throw error;
      this.#options.log.error({ connection: this.#options.name, reason: error.message }, 'the kernel is too old');
      exchange.refuse(EPROTO);
      this.#options.onRefused?.(error);
    }
  }
}

/** `struct fuse_init_in`: `flags2` came with 7.36, and a newer major version promises no more than its first two words. */
function readOffer({ request }: Exchange): InitOffer {
  const major = request.u32();
  const minor = request.u32();
  const rest = request.remainingBytes;
  return {
    major,
    minor,
    readaheadBytesMax: rest >= 8 ? request.u32() : 0,
    flags: rest >= 8 ? request.u32() : 0,
    flags2: rest >= 12 ? request.u32() : 0,
  };
}
