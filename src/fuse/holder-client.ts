/**
 * Client of `dunnage-holder`, the small process that keeps the /dev/fuse descriptors while no daemon runs.
 *
 * One message per packet, the first byte says what it is:
 *
 * | request | reply |
 * | --- | --- |
 * | `A` attach as the daemon | `a` + pid of the holder, or `b` + pid of the daemon that is attached |
 * | `P` + name + NUL + record, one descriptor | `p` |
 * | `G` | for each entry `e` + name + NUL + record with its descriptor, then `z` |
 * | `R` release: forget the descriptors and end | `r` |
 * | `X` abort the connections and end | `x` |
 *
 * The connection is the daemon's sign of life: if it closes without `R` the daemon died, and the holder starts to count
 * the seconds until it gives up. All calls block for a few microseconds: for start-up and shutdown only.
 */
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from '../native/binding.ts';
import { loadNative } from '../native/load.ts';

export { type HolderStart, startHolder } from './start-holder.ts';

export interface HolderEntry {
  readonly name: string;
  readonly record: Uint8Array;
  readonly descriptor: number;
}

/** What the holder takes and gives in one packet. */
const MESSAGE_BYTES_MAX = 8192;
const RECORD_BYTES_MAX = 4096;
const REPLY_TIMEOUT_MS = 5_000;

type Socket = Pick<
  NativeBinding,
  'connectSeqpacket' | 'sendMessage' | 'receiveMessage' | 'watchReadable' | 'closeDescriptor'
>;

export class HolderClient {
  readonly #native: Socket;
  readonly #path: string;
  #socket: number | undefined;

  private constructor(native: Socket, path: string, socket: number) {
    this.#native = native;
    this.#path = path;
    this.#socket = socket;
  }

  /**
   * Undefined if no holder listens there.
   * @throws DunnageError PERMISSION_DENIED, IO ... if the socket cannot be reached for another reason
   */
  static connect(socketPath: string, native: Socket = loadNative()): HolderClient | undefined {
    try {
      return new HolderClient(native, socketPath, native.connectSeqpacket(socketPath));
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
      throw fromSystemError(error, `cannot connect to the holder at ${socketPath}`);
    }
  }

  /** Becomes the daemon the holder holds for. @throws DunnageError ALREADY_RUNNING if another one is. */
  attach(): { readonly holderPid: number } {
    this.#send('A');
    const { kind, body } = this.#receive();
    if (kind === 'b') {
      throw new DunnageError('ALREADY_RUNNING', `a daemon is running already (pid ${body.toString('latin1')})`, {
        remedy: 'use `dunnage status` to look at it, `dunnage down` to end it',
      });
    }
    this.#expect(kind, 'a');
    return { holderPid: Number(body.toString('latin1')) };
  }

  /** Gives a copy of the descriptor to the holder, in place of an earlier one of that name. The caller's stays open. */
  put(name: string, record: Uint8Array, descriptor: number): void {
    const message = Buffer.concat([Buffer.from(`P${name}\0`), record]);
    if (record.length > RECORD_BYTES_MAX) {
      throw new DunnageError('TOO_LARGE', `the record of ${name} is larger than the holder takes`);
    }
    this.#send(message, [descriptor]);
    this.#expect(this.#receive().kind, 'p');
  }

  /** Everything that is held. The descriptors are new ones and the caller's to close. */
  entries(): HolderEntry[] {
    this.#send('G');
    const entries: HolderEntry[] = [];
    for (;;) {
      const { kind, body, descriptors } = this.#receive();
      if (kind === 'z') return entries;
      this.#expect(kind, 'e');
      const end = body.indexOf(0);
      const [descriptor] = descriptors;
      if (end < 0 || descriptor === undefined) throw this.#violated('an entry without a name or a descriptor');
      entries.push({ name: body.toString('utf8', 0, end), record: body.subarray(end + 1), descriptor });
    }
  }

  /** The holder forgets its descriptors and ends: the connections live as long as the daemon's own descriptors do. */
  release(): void {
    this.#send('R');
    this.#expect(this.#receive().kind, 'r');
  }

  /** The holder aborts the connections, unmounts and ends. */
  abort(): void {
    this.#send('X');
    this.#expect(this.#receive().kind, 'x');
  }

  /** Calls back once if the holder goes away. Returns a function that stops watching. */
  watch(onGone: () => void): () => void {
    return this.#native.watchReadable(this.#open(), onGone);
  }

  /** To the holder this is the daemon's death, unless it was released before. Idempotent. */
  close(): void {
    if (this.#socket === undefined) return;
    this.#native.closeDescriptor(this.#socket);
    this.#socket = undefined;
  }

  #open(): number {
    if (this.#socket === undefined) throw new DunnageError('INTERNAL', 'the connection to the holder is closed');
    return this.#socket;
  }

  #send(message: string | Uint8Array, descriptors: readonly number[] = []): void {
    try {
      this.#native.sendMessage(this.#open(), Buffer.from(message), descriptors);
    } catch (error) {
      throw this.#failure(error, 'cannot be reached');
    }
  }

  #receive(): { kind: string; body: Buffer; descriptors: readonly number[] } {
    let message: ReturnType<Socket['receiveMessage']>;
    try {
      message = this.#native.receiveMessage(this.#open(), MESSAGE_BYTES_MAX, REPLY_TIMEOUT_MS);
    } catch (error) {
      throw this.#failure(error, 'does not answer');
    }
    const { data, descriptors } = message;
    if (data.length === 0) throw this.#hungUp();
    return { kind: String.fromCharCode(data[0] as number), body: data.subarray(1), descriptors };
  }

  #failure(error: unknown, what: string): DunnageError {
    const code = (error as { code?: unknown }).code;
    if (code === 'EPIPE' || code === 'ECONNRESET') return this.#hungUp();
    return fromSystemError(error, `the holder at ${this.#path} ${what}`);
  }

  #hungUp(): DunnageError {
    return new DunnageError('UNREACHABLE', `the holder at ${this.#path} hung up`);
  }

  #expect(kind: string, expected: string): void {
    if (kind !== expected) throw this.#violated(`reply '${kind}' where '${expected}' was due`);
  }

  #violated(what: string): DunnageError {
    return new DunnageError('INTERNAL', `the holder at ${this.#path} broke the protocol: ${what}`, {
      remedy: 'the running holder may be of another version of dunnage: run `dunnage down`, then `dunnage up`',
    });
  }
}
