/** The least that makes the kernel take a mount: INIT, and GETATTR of an empty root. Bytes by hand, no room's code. */
import type { Channel } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';

export const OPCODE = { lookup: 1, forget: 2, getattr: 3, mkdir: 9, statfs: 17, init: 26 } as const;
const HEADER_BYTES = 16;

export interface Request {
  readonly opcode: number;
  readonly unique: bigint;
  readonly lengthBytes: number;
}

export interface MinimalServerOptions {
  readonly device: number;
  /** Answers what INIT, GETATTR and FORGET are not. Undefined leaves the request open. */
  readonly answer?: (request: Request) => number | undefined;
  readonly onInit?: () => void;
  readonly onEnd?: (errno: number) => void;
  readonly onError?: (error: Error) => void;
}

export class MinimalServer {
  readonly channel: Channel;
  readonly #options: MinimalServerOptions;

  constructor(options: MinimalServerOptions) {
    this.#options = options;
    this.channel = loadNative().createChannel(options.device, {
      bufferSizeBytes: 1024 * 1024 + 4096,
      requestsPerTurn: 16,
      onRequest: (lengthBytes) => this.#serve(lengthBytes),
      onEnd: (errno) => options.onEnd?.(errno),
    });
  }

  /** Answers with an error, or with success and no data for 0. Returns what `send` returned. */
  reply(unique: bigint, errno: number, dataBytes = 0): number {
    const head = new DataView(this.channel.replyBuffer);
    head.setUint32(0, HEADER_BYTES + dataBytes, true);
    head.setInt32(4, -errno, true);
    head.setBigUint64(8, unique, true);
    return this.channel.send(HEADER_BYTES + dataBytes);
  }

  /** Queues NOTIFY_INVAL_ENTRY for a name in the root directory. */
  invalidateEntry(name: string): void {
    const message = Buffer.alloc(HEADER_BYTES + 16 + name.length + 1);
    message.writeUInt32LE(message.length, 0);
    message.writeInt32LE(3, 4);
    message.writeBigUInt64LE(1n, HEADER_BYTES);
    message.writeUInt32LE(name.length, HEADER_BYTES + 8);
    message.write(name, HEADER_BYTES + 16);
    this.channel.notify(message);
  }

  #serve(lengthBytes: number): void {
    const head = new DataView(this.channel.requestBuffer);
    const request = { opcode: head.getUint32(4, true), unique: head.getBigUint64(8, true), lengthBytes };
    if (request.opcode === OPCODE.init) this.#init(request.unique);
    else if (request.opcode === OPCODE.getattr) this.#rootAttributes(request.unique);
    else if (request.opcode !== OPCODE.forget) this.#answer(request);
  }

  #answer(request: Request): void {
    const errno = this.#options.answer === undefined ? 38 : this.#options.answer(request);
    if (errno !== undefined) this.reply(request.unique, errno);
  }

  #init(unique: bigint): void {
    const data = this.#cleanData(64);
    data.setUint32(0, 7, true);
    data.setUint32(4, 38, true);
    data.setUint32(8, 131072, true);
    data.setUint16(16, 16, true);
    data.setUint16(18, 12, true);
    data.setUint32(20, 131072, true);
    data.setUint32(24, 1, true);
    data.setUint16(28, 32, true);
    this.reply(unique, 0, 64);
    this.#options.onInit?.();
  }

  #rootAttributes(unique: bigint): void {
    const data = this.#cleanData(104);
    data.setBigUint64(16, 1n, true);
    data.setUint32(16 + 60, 0o040755, true);
    data.setUint32(16 + 64, 2, true);
    this.reply(unique, 0, 104);
  }

  #cleanData(lengthBytes: number): DataView {
    new Uint8Array(this.channel.replyBuffer, HEADER_BYTES, lengthBytes).fill(0);
    return new DataView(this.channel.replyBuffer, HEADER_BYTES);
  }
}
