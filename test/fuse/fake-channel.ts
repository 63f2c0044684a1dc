/** A channel without a kernel: tests feed requests as bytes and read the replies as bytes. */
import type { Channel, ChannelOptions, NativeBinding } from '../../src/native/binding.ts';

export interface SentReply {
  /** 0 or a positive errno. */
  readonly errno: number;
  readonly unique: bigint;
  readonly body: Buffer;
}

export class FakeChannel implements Channel {
  readonly requestBuffer: ArrayBuffer;
  readonly replyBuffer: ArrayBuffer = new ArrayBuffer(64 * 1024 + 16);
  readonly options: ChannelOptions;
  readonly replies: SentReply[] = [];
  readonly notifications: Buffer[] = [];
  started = false;
  closed = false;
  /** What `send` returns. */
  sendErrno = 0;
  /** Resolves what `notifierDrained` returns. */
  drained: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  constructor(options: ChannelOptions) {
    this.options = options;
    this.requestBuffer = options.requestBuffer ?? new ArrayBuffer(options.bufferSizeBytes);
  }

  /** A `createChannel` that hands out this kind of channel, and the channels it handed out. */
  static factory(): { createChannel: NativeBinding['createChannel']; channels: FakeChannel[] } {
    const channels: FakeChannel[] = [];
    const createChannel = (_device: number, options: ChannelOptions): FakeChannel => {
      const channel = new FakeChannel(options);
      channels.push(channel);
      return channel;
    };
    return { createChannel, channels };
  }

  /** Puts a request before the connection. */
  receive(request: Uint8Array): void {
    const buffer = Buffer.from(this.requestBuffer);
    // What lies behind a request is a rest of earlier ones; make it something that would be noticed.
    buffer.fill(0xee, request.length, request.length + 256);
    buffer.set(request);
    this.options.onRequest(request.length);
    // As the channel of the addon does.
    buffer.fill(0, 0, 8);
  }

  /** Puts a request before the connection and returns its reply, if it came at once. */
  ask(request: Uint8Array): SentReply | undefined {
    const before = this.replies.length;
    this.receive(request);
    return this.replies[before];
  }

  /** Resolves when so many replies were sent. */
  async replyCount(count: number): Promise<void> {
    while (this.replies.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  start(): void {
    this.started = true;
  }

  send(lengthBytes: number, data?: Uint8Array): number {
    const head = Buffer.from(this.replyBuffer, 0, lengthBytes);
    const bytes = Buffer.concat([head, data ?? new Uint8Array()]);
    if (bytes.readUInt32LE(0) !== bytes.length)
      throw new Error(`length in header ${bytes.readUInt32LE(0)}, sent ${bytes.length}`);
    this.replies.push({
      errno: Math.abs(bytes.readInt32LE(4)),
      unique: bytes.readBigUInt64LE(8),
      body: Buffer.from(bytes.subarray(16)),
    });
    for (const resolve of this.#waiting.splice(0)) resolve();
    return this.sendErrno;
  }

  notify(message: Uint8Array): void {
    this.notifications.push(Buffer.from(message));
  }

  notifierStatus(): { pending: number; failed: number } {
    return { pending: 0, failed: 0 };
  }

  notifierDrained(): Promise<void> {
    return this.drained;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
