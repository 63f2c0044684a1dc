/**
 * Reads one request out of the channel's request buffer.
 *
 * There is one reader for the life of a connection; `begin` points it at the next request. Fields come in the order of
 * the wire: `u32`, `u64`, `name`, `text` and `bytes` move a cursor through the body and refuse (WireError EINVAL) what
 * is too short. Values that outlive the handler's first await must be taken out before it.
 *
 * Node ids, handles and offsets are numbers below 2^53. The unique is kept as its two exact halves, because bit 63
 * marks a request that the kernel sends again and the reply must repeat it.
 */
import { isUtf8 } from 'node:buffer';
import { limits } from '../base/limits.ts';
import { IN_HEADER_BYTES, UNIQUE_RESEND_HIGH } from './abi.ts';
import { malformed, nameTooLong, notUtf8 } from './wire-error.ts';
import { HIGH, joinWords, LOW } from './words.ts';

const REPLACEMENT = '\uFFFD';

export class RequestReader {
  opcode = 0;
  uniqueLow = 0;
  uniqueHigh = 0;
  nodeId = 0;
  uid = 0;
  gid = 0;
  pid = 0;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #bytes: Buffer;
  #cursor = 0;
  #end = 0;

  constructor(requestBuffer: ArrayBuffer) {
    this.#words = new Uint32Array(requestBuffer, 0, requestBuffer.byteLength >>> 2);
    this.#halves = new Uint16Array(requestBuffer, 0, requestBuffer.byteLength >>> 1);
    this.#bytes = Buffer.from(requestBuffer);
  }

  /** Takes the header. False if there is none: such a message cannot even be answered. */
  begin(lengthBytes: number): boolean {
    if (lengthBytes < IN_HEADER_BYTES || lengthBytes > this.#bytes.length) return false;
    const words = this.#words;
    this.opcode = words[1] as number;
    this.uniqueLow = words[2 + LOW] as number;
    this.uniqueHigh = words[2 + HIGH] as number;
    this.nodeId = joinWords(words[4 + LOW] as number, words[4 + HIGH] as number);
    this.uid = words[6] as number;
    this.gid = words[7] as number;
    this.pid = words[8] as number;
    this.#cursor = IN_HEADER_BYTES;
    // Extensions stand behind the body; their length is counted in units of 8 bytes (0 on kernels without them).
    this.#end = lengthBytes - (this.#halves[18] as number) * 8;
    return true;
  }

  /** Throws if the length in the header is not that of the message, or the node id is not one of ours. */
  checkHeader(lengthBytes: number): void {
    if (this.#words[0] !== lengthBytes)
      throw malformed(`header says ${this.#words[0]} bytes, message has ${lengthBytes}`);
    if (this.#end < IN_HEADER_BYTES) throw malformed('extensions are longer than the message');
    if (this.nodeId < 0) throw malformed('node id is above 2^53');
  }

  get resent(): boolean {
    return (this.uniqueHigh & UNIQUE_RESEND_HIGH) !== 0;
  }

  /** Bytes of the body that were not read yet. */
  get remainingBytes(): number {
    return this.#end - this.#cursor;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#words[at >>> 2] as number;
  }

  /** A u64 that must be below 2^53. */
  u64(): number {
    const at = this.#take(8) >>> 2;
    const value = joinWords(this.#words[at + LOW] as number, this.#words[at + HIGH] as number);
    if (value < 0) throw malformed('number is above 2^53');
    return value;
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  /** A file name. Newer kernels leave it to the daemon to refuse long ones. */
  name(): string {
    const start = this.#cursor;
    const name = this.text();
    if (this.#cursor - 1 - start > limits.nameBytesMax) throw nameTooLong();
    return name;
  }

  /** UTF-8 up to its NUL, which is skipped. */
  text(): string {
    const start = this.#cursor;
    const nul = this.#bytes.indexOf(0, start);
    if (nul < start || nul >= this.#end) throw malformed('text does not end');
    this.#cursor = nul + 1;
    const value = this.#bytes.toString('utf8', start, nul);
    if (value.includes(REPLACEMENT) && !isUtf8(this.#bytes.subarray(start, nul))) throw notUtf8();
    return value;
  }

  /** The next bytes, as a view of the request buffer: valid until the next request is read. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  #take(bytes: number): number {
    const at = this.#cursor;
    if (at + bytes > this.#end) throw malformed(`body is shorter than ${at + bytes - IN_HEADER_BYTES} bytes`);
    this.#cursor = at + bytes;
    return at;
  }
}
