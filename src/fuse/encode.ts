/**
 * Writes replies into the channel's reply buffer.
 *
 * There is one writer for the life of a connection. An encoder begins with `begin`, appends the body, and `finish` puts
 * the header in front. Bulk data is not copied: it is handed to the channel beside the buffer (`data`).
 */

import type { Attributes, AttributesReply, Entry, FileSystemStatus } from '../vfs/file-system.ts';
import { OUT_HEADER_BYTES } from './abi.ts';
import { HIGH, highWord, LOW } from './words.ts';

/** st_blksize: what programs take as a good buffer size. */
const BLOCK_SIZE_BYTES = 4096;
const NANOSECONDS = 1_000_000_000;
const DIRENT_BYTES = 24;

export class ReplyWriter {
  readonly capacityBytes: number;
  /** Sent behind the buffer's bytes. */
  data: Uint8Array | undefined = undefined;
  readonly #words: Uint32Array;
  readonly #bytes: Buffer;
  /** Index of the next word. */
  #next = OUT_HEADER_BYTES / 4;

  constructor(replyBuffer: ArrayBuffer) {
    this.capacityBytes = (replyBuffer.byteLength - OUT_HEADER_BYTES) & ~7;
    this.#words = new Uint32Array(replyBuffer, 0, replyBuffer.byteLength >>> 2);
    this.#bytes = Buffer.from(replyBuffer);
  }

  begin(): void {
    this.#next = OUT_HEADER_BYTES / 4;
    this.data = undefined;
  }

  /** Bytes of the buffer written so far, header included. */
  get lengthBytes(): number {
    return this.#next * 4;
  }

  /** Writes the header and returns how many bytes of the buffer are to be sent. `errno` is positive, 0 for success. */
  finish(uniqueLow: number, uniqueHigh: number, errno: number): number {
    if (errno !== 0) this.begin();
    const words = this.#words;
    const lengthBytes = this.#next * 4;
    words[0] = lengthBytes + (this.data === undefined ? 0 : this.data.length);
    words[1] = -errno;
    words[2 + LOW] = uniqueLow;
    words[2 + HIGH] = uniqueHigh;
    return lengthBytes;
  }

  u32(value: number): void {
    this.#words[this.#next++] = value;
  }

  /** A non-negative integer below 2^53. */
  u64(value: number): void {
    const at = this.#next;
    this.#words[at + LOW] = value >>> 0;
    this.#words[at + HIGH] = highWord(value);
    this.#next = at + 2;
  }

  /** Seconds before the epoch are negative on the wire too (the kernel reads them as s64). */
  s64(value: number): void {
    const at = this.#next;
    this.#words[at + LOW] = value >>> 0;
    this.#words[at + HIGH] = highWord(value) >>> 0;
    this.#next = at + 2;
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#next * 4);
    this.#next += bytes.length / 4;
  }

  /** `struct fuse_dirent`. False, and nothing written, if it does not fit into `limitBytes` of body. */
  dirent(nodeId: number, cookie: number, type: number, name: string, limitBytes: number): boolean {
    // Every character takes at most 3 bytes, so most names need not be measured.
    const start = this.#next * 4;
    const room = limitBytes - (start - OUT_HEADER_BYTES) - DIRENT_BYTES;
    if (room < name.length * 3 + 8) {
      if (room < ((Buffer.byteLength(name) + 7) & ~7)) return false;
    }
    const nameBytes = this.#bytes.write(name, start + DIRENT_BYTES, 'utf8');
    const paddedBytes = (nameBytes + 7) & ~7;
    this.#bytes.fill(0, start + DIRENT_BYTES + nameBytes, start + DIRENT_BYTES + paddedBytes);
    this.u64(nodeId);
    this.u64(cookie);
    this.u32(nameBytes);
    this.u32(type >>> 12);
    this.#next += paddedBytes / 4;
    return true;
  }
}

/** Writes a time span as the two separate fields the protocol has for it. */
const wholeSeconds = (seconds: number): number => Math.floor(seconds);
const restNanoseconds = (seconds: number): number => Math.floor((seconds - Math.floor(seconds)) * NANOSECONDS);

function encodeAttributes(reply: ReplyWriter, attributes: Attributes): void {
  const { seconds, nanoseconds } = attributes.mtime;
  reply.u64(attributes.nodeId);
  reply.u64(attributes.sizeBytes);
  reply.u64(attributes.blocks);
  reply.s64(seconds);
  reply.s64(seconds);
  reply.s64(seconds);
  reply.u32(nanoseconds);
  reply.u32(nanoseconds);
  reply.u32(nanoseconds);
  reply.u32(attributes.mode);
  reply.u32(attributes.nlink);
  reply.u32(attributes.uid);
  reply.u32(attributes.gid);
  reply.u32(0);
  reply.u32(BLOCK_SIZE_BYTES);
  reply.u32(0);
}

/** `struct fuse_attr_out` */
export function encodeAttributesReply(reply: ReplyWriter, value: AttributesReply): void {
  reply.u64(wholeSeconds(value.attributeTimeoutSeconds));
  reply.u32(restNanoseconds(value.attributeTimeoutSeconds));
  reply.u32(0);
  encodeAttributes(reply, value.attributes);
}

/** `struct fuse_entry_out`. A negative entry has node id 0. */
export function encodeEntry(reply: ReplyWriter, entry: Entry): void {
  const { attributes } = entry;
  reply.u64(attributes === undefined ? 0 : attributes.nodeId);
  // Generation of the node id: ids are never reused.
  reply.u64(0);
  reply.u64(wholeSeconds(entry.entryTimeoutSeconds));
  reply.u64(wholeSeconds(entry.attributeTimeoutSeconds));
  reply.u32(restNanoseconds(entry.entryTimeoutSeconds));
  reply.u32(restNanoseconds(entry.attributeTimeoutSeconds));
  if (attributes === undefined) reply.raw(NO_ATTRIBUTES);
  else encodeAttributes(reply, attributes);
}

const NO_ATTRIBUTES = new Uint8Array(88);

/** `struct fuse_statfs_out` */
export function encodeStatus(reply: ReplyWriter, status: FileSystemStatus): void {
  reply.u64(status.blocks);
  reply.u64(status.blocksFree);
  reply.u64(status.blocksAvailable);
  reply.u64(status.files);
  reply.u64(status.filesFree);
  reply.u32(status.blockSizeBytes);
  reply.u32(status.nameBytesMax);
  reply.u32(status.blockSizeBytes);
  for (let word = 0; word < 7; word += 1) reply.u32(0);
}

/** `struct fuse_open_out` */
export function encodeOpen(reply: ReplyWriter, open: { readonly handle: number; readonly flags: number }): void {
  reply.u64(open.handle);
  reply.u32(open.flags);
  reply.u32(0);
}

/** `struct fuse_write_out`, and `fuse_getxattr_out`, which looks the same. */
export function encodeSize(reply: ReplyWriter, sizeBytes: number): void {
  reply.u32(sizeBytes);
  reply.u32(0);
}
