/**
 * The connection of `allocs/`: INIT is answered here, everything after that by the threads of the loopback engine (native/src/loopback),
 * without a turn of the event loop. What this side does besides: seals, and telling the kernel what was changed beneath the mount.
 *
 * Life: made -> `start` -> INIT answered, or resumed with the record of an earlier one -> serving -> ended (`onEnd`) and closed
 * (`close`), in whichever order they come. All descriptors stay the caller's throughout.
 */
import { availableParallelism, constants } from 'node:os';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { Channel, Loopback, LoopbackStatistics, NativeBinding } from '../native/binding.ts';
import { loadNative } from '../native/load.ts';
import type { Awaitable } from '../vfs/file-system.ts';
import { IN_HEADER_BYTES, OPCODE, OUT_HEADER_BYTES } from './abi.ts';
import { type InitOffer, type NegotiatedRecord, negotiate } from './init.ts';
import { PROFILES, type Profile } from './profiles.ts';
import { type ConnectionStatistics, operationsByName } from './statistics.ts';

/** Size of the memfd that a `LoopbackConnection` needs; it is sparse. */
export const loopbackMemoryBytes = (): number => loadNative().loopbackMemoryBytes();

export interface LoopbackConnectionOptions {
  /** For logs. */
  readonly name: string;
  /** Opened /dev/fuse, already given to mount(2) with `default_permissions`. */
  readonly device: number;
  /** Descriptor of the directory that is shown. */
  readonly root: number;
  /** Descriptor of a directory on the same file system that belongs to the engine alone. */
  readonly orphans: number;
  /** A memfd of `loopbackMemoryBytes()`, which whoever takes over needs too. */
  readonly memory: number;
  /** Requests that are worked on at the same time. */
  readonly threads?: number;
  readonly log: Log;
  readonly profile?: Profile;
  /** The record of the INIT that an earlier daemon answered: none will come, and the memory is that daemon's. */
  readonly resume?: NegotiatedRecord;
  /** INIT is agreed on, and is answered when this returns or resolves. If it fails the mount fails with EIO. */
  onInit(record: NegotiatedRecord): Awaitable<void>;
  /** The connection is over: ENODEV after an unmount, ECONNABORTED after an abort. Called at most once; `close` is still due. */
  onEnd(errno: number): void;
  /** The kernel is too old, or the directory cannot be served; the mount answers errors and is to be unmounted. */
  onRefused?(error: DunnageError): void;
  /** Stands in for the addon in tests. */
  readonly native?: Pick<NativeBinding, 'createChannel' | 'createLoopback'>;
}

const { EIO, EPROTO } = constants.errno;
/** A call that waits for a slow disk must not keep the others waiting. */
const THREADS_MIN = 8;
const THREADS_PER_CPU = 2;
const THREADS_MAX = 32;

export class LoopbackConnection {
  readonly #options: LoopbackConnectionOptions;
  readonly #native: Pick<NativeBinding, 'createChannel' | 'createLoopback'>;
  #channel: Channel | undefined = undefined;
  #engine: Loopback | undefined = undefined;
  #isInitAsked = false;
  #closing: Promise<void> | undefined = undefined;
  readonly #served: Promise<void>;
  #settle: { resolve(): void; reject(error: DunnageError): void } | undefined = undefined;

  constructor(options: LoopbackConnectionOptions) {
    this.#options = options;
    this.#native = options.native ?? loadNative();
    this.#served = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever does not ask is told by `onRefused` and `onEnd`.
    this.#served.catch(() => undefined);
  }

  /** Resolves when the directory is served: INIT was answered, `seal` and the others can be called. Rejects if that cannot be any more. */
  served(): Promise<void> {
    return this.#served;
  }

  /**
   * Begins to serve: first what an earlier daemon left unanswered, then what the kernel sends.
   * @throws DunnageError if a connection that is resumed cannot be served from here
   */
  start(): void {
    if (this.#options.resume !== undefined) {
      this.#serve(this.#options.resume, true);
      return;
    }
    const channel = this.#native.createChannel(this.#options.device, {
      bufferSizeBytes: limits.fuseWriteBytesMax + limits.fuseHeaderBytesMax,
      requestsPerTurn: 1,
      onRequest: (lengthBytes) => this.#receive(lengthBytes),
      onEnd: (errno) => {
        this.#settle?.reject(notServed(this.#options.name));
        this.#options.onEnd(errno);
      },
    });
    this.#channel = channel;
    channel.start();
  }

  /** See `Loopback.seal`. @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY ... */
  seal(path: string): void {
    this.#call(`cannot seal ${path}`, (engine) => engine.seal(path));
  }

  unseal(path: string): void {
    this.#call(`cannot unseal ${path}`, (engine) => engine.unseal(path));
  }

  /** The kernel asks for that name again: it was made, replaced or removed beneath the mount. */
  async forget(parent: string, name: string): Promise<void> {
    await this.#call(`cannot forget ${name} in ${parent}`, (engine) => engine.forget(parent, name));
  }

  /** The kernel asks for attributes, content and listing of that file or directory again. */
  async refresh(path: string): Promise<void> {
    await this.#call(`cannot refresh ${path}`, (engine) => engine.refresh(path));
  }

  /** What the engine says of itself; undefined before INIT and when it is closed. */
  engineStatistics(): LoopbackStatistics | undefined {
    return this.#closing === undefined ? this.#engine?.statistics() : undefined;
  }

  statistics(): ConnectionStatistics {
    const engine = this.engineStatistics();
    const operations = operationsByName(engine?.served ?? []);
    return {
      requests: (engine?.served ?? []).reduce((sum, count) => sum + count, 0),
      operations,
      inFlight: engine?.agesMs.length ?? 0,
      unanswered: (engine?.agesMs ?? []).filter((age) => age > limits.fuseUnansweredMs).length,
      unansweredEver: 0,
      malformed: 0,
      exceptions: 0,
      failedReplies: engine?.failedReplies ?? 0,
      unjournaled: 0,
      pendingNotifications: engine?.pendingNotifications ?? 0,
      failedNotifications: engine?.failedNotifications ?? 0,
    };
  }

  /** Stops serving, within two seconds. What is unanswered waits for whoever takes over. Idempotent. */
  close(): Promise<void> {
    this.#settle?.reject(notServed(this.#options.name));
    this.#closing ??= Promise.all([this.#channel?.close(), this.#engine?.close()]).then(() => undefined);
    return this.#closing;
  }

  #call<T>(what: string, act: (engine: Loopback) => T): T {
    if (this.#engine === undefined) throw notServed(this.#options.name, what);
    try {
      return act(this.#engine);
    } catch (error) {
      throw fromSystemError(error, what);
    }
  }

  /** The kernel sends nothing but INIT before that is answered. */
  #receive(lengthBytes: number): void {
    const channel = this.#channel as Channel;
    const request = new DataView(channel.requestBuffer, 0, lengthBytes);
    const opcode = request.getUint32(4, true);
    const unique = request.getBigUint64(8, true);
    if (opcode !== OPCODE.INIT || this.#isInitAsked) {
      this.#answer(unique, EIO);
      return;
    }
    const offer = readOffer(request);
    this.#isInitAsked = true;
    this.#init(unique, offer).catch((error: unknown) => {
      const reason = fromSystemError(error, `cannot serve ${this.#options.name}`);
      this.#options.log.error({ connection: this.#options.name, reason: reason.message }, 'INIT is refused');
      this.#answer(unique, reason.code === 'NOT_SUPPORTED' ? EPROTO : EIO);
      this.#settle?.reject(reason);
      this.#options.onRefused?.(reason);
    });
  }

  async #init(unique: bigint, offer: InitOffer): Promise<void> {
    const { name, log, onInit, profile = PROFILES.allocs } = this.#options;
    const { reply, negotiated } = negotiate(offer, profile);
    if (negotiated === undefined) {
      this.#isInitAsked = false;
      this.#answer(unique, 0, reply);
      return;
    }
    log.debug({ connection: name, minor: negotiated.minor, features: negotiated.features }, 'INIT');
    await onInit.call(this.#options, negotiated);
    if (this.#closing !== undefined) return;
    // From the answer on the kernel sends requests: none of them is read by this side.
    this.#answer(unique, 0, reply);
    const channel = this.#channel as Channel;
    this.#channel = undefined;
    await channel.close();
    if (this.#closing === undefined) this.#serve(negotiated, false);
  }

  #serve(record: NegotiatedRecord, isTakeover: boolean): void {
    const { device, root, orphans, memory, onEnd } = this.#options;
    try {
      this.#engine = this.#native.createLoopback({
        device,
        root,
        orphans,
        memory,
        features: record.features,
        threads: this.#options.threads ?? defaultThreads(),
        isTakeover,
        onEnd: (errno) => onEnd.call(this.#options, errno),
      });
    } catch (error) {
      throw fromSystemError(error, `cannot serve ${this.#options.name}`);
    }
    this.#settle?.resolve();
  }

  #answer(unique: bigint, errno: number, body: Uint8Array = new Uint8Array()): void {
    const channel = this.#channel;
    // Answered already, and then something failed: the caller is told otherwise.
    if (channel === undefined) return;
    const reply = new DataView(channel.replyBuffer);
    reply.setUint32(0, OUT_HEADER_BYTES + body.length, true);
    reply.setInt32(4, -errno, true);
    reply.setBigUint64(8, unique, true);
    channel.send(OUT_HEADER_BYTES, body);
  }
}

const notServed = (name: string, what = 'nothing can be done'): DunnageError =>
  new DunnageError('UNREACHABLE', `${what}: ${name} is not served`);

function defaultThreads(): number {
  return Math.min(Math.max(THREADS_MIN, availableParallelism() * THREADS_PER_CPU), THREADS_MAX);
}

/** `struct fuse_init_in`: `flags2` came with 7.36. */
function readOffer(request: DataView): InitOffer {
  const word = (index: number): number => {
    const at = IN_HEADER_BYTES + index * 4;
    return at + 4 <= request.byteLength ? request.getUint32(at, true) : 0;
  };
  return { major: word(0), minor: word(1), readaheadBytesMax: word(2), flags: word(3), flags2: word(4) };
}
