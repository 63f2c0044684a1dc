/**
 * Notifications to the kernel: messages whose unique is 0 and whose error field names what they are.
 *
 * They are only queued here. The channel's notifier thread writes them, which may block until somebody releases a
 * directory that this daemon must first answer a request for.
 */
import type { NodeId } from '../base/ids.ts';
import type { Channel } from '../native/binding.ts';
import type { KernelCache } from '../vfs/ports.ts';
import { NOTIFY, OUT_HEADER_BYTES } from './abi.ts';
import { HIGH, highWord, LOW } from './words.ts';

/** Nodes named in one notification. */
const PRUNED_AT_ONCE = 512;

export class ChannelKernelCache implements KernelCache {
  readonly #channel: Pick<Channel, 'notify'>;

  constructor(channel: Pick<Channel, 'notify'>) {
    this.#channel = channel;
  }

  /** Two messages: the kernel drops the cached listing by the first only if it knows the name. */
  invalidateEntry(parent: NodeId, name: string): void {
    this.#channel.notify(encodeInvalidateEntry(parent, name));
    this.#channel.notify(encodeInvalidateNode(parent));
  }

  invalidateNode(nodeId: NodeId): void {
    this.#channel.notify(encodeInvalidateNode(nodeId));
  }

  /** Drops nodes that are in the kernel's caches only; those in use are left alone. Needs FUSE 7.45. */
  prune(nodes: readonly NodeId[]): void {
    for (let first = 0; first < nodes.length; first += PRUNED_AT_ONCE) {
      this.#channel.notify(encodePrune(nodes.slice(first, first + PRUNED_AT_ONCE)));
    }
  }

  /** Has the kernel send again, marked, every request that was read and not answered. Needs HAS_RESEND. */
  requestResend(): void {
    this.#channel.notify(encodeResend());
  }
}

function message(code: number, bodyBytes: number): { bytes: Buffer; words: Uint32Array } {
  const lengthBytes = OUT_HEADER_BYTES + bodyBytes;
  // Whole words, so that the view covers the message; the bytes behind it are cut off.
  const buffer = new ArrayBuffer((lengthBytes + 3) & ~3);
  const words = new Uint32Array(buffer);
  words[0] = lengthBytes;
  words[1] = code;
  return { bytes: Buffer.from(buffer, 0, lengthBytes), words };
}

function setU64(words: Uint32Array, at: number, value: number): void {
  words[at + LOW] = value >>> 0;
  words[at + HIGH] = highWord(value);
}

/** `struct fuse_notify_inval_entry_out`, the name and a NUL. */
export function encodeInvalidateEntry(parent: NodeId, name: string): Uint8Array {
  const nameBytes = Buffer.byteLength(name);
  const { bytes, words } = message(NOTIFY.INVAL_ENTRY, 16 + nameBytes + 1);
  setU64(words, 4, parent);
  words[6] = nameBytes;
  bytes.write(name, OUT_HEADER_BYTES + 16);
  return bytes;
}

/** `struct fuse_notify_inval_inode_out`. Offset 0, length 0: all content (a negative offset would mean attributes only). */
export function encodeInvalidateNode(nodeId: NodeId): Uint8Array {
  const { bytes, words } = message(NOTIFY.INVAL_INODE, 24);
  setU64(words, 4, nodeId);
  return bytes;
}

/** `struct fuse_notify_prune_out` and the node ids. */
export function encodePrune(nodes: readonly NodeId[]): Uint8Array {
  const { bytes, words } = message(NOTIFY.PRUNE, 16 + 8 * nodes.length);
  words[4] = nodes.length;
  for (const [index, node] of nodes.entries()) setU64(words, 8 + 2 * index, node);
  return bytes;
}

export function encodeResend(): Uint8Array {
  return message(NOTIFY.RESEND, 0).bytes;
}
