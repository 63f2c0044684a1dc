/** Frames between the daemon and the mount agent; native/README.md has the layout. Everything is little endian. */
import { DunnageError } from '../errors/dunnage-error.ts';

const KIND_BYTE = {
  ...{ mkdir: 1, symlink: 2, rename: 3, unlink: 4, rmdir: 5, mknod: 6, modify: 7, chmod: 8 },
  ...{ attach: 9, detach: 10, tmpfs: 11, bind: 12, unmount: 13, hide: 14 },
} as const;
const TEXT_BYTES_MAX = 0xffff;

/** One system call, relative to the directory of its batch. What the port `ThroughMount` of `vfs` asks for. */
export type AgentOperation =
  | { readonly kind: 'mkdir'; readonly name: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly name: string; readonly target: string }
  | { readonly kind: 'rename'; readonly name: string; readonly newName: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rmdir'; readonly name: string }
  | { readonly kind: 'mknod'; readonly name: string; readonly mode: number }
  | { readonly kind: 'modify'; readonly name: string }
  | { readonly kind: 'chmod'; readonly name: string; readonly mode: number }
  /** Bind-mounts a directory of the base on an absolute path. The directory of the batch is the base itself. */
  | { readonly kind: 'attach'; readonly name: string; readonly target: string }
  /** Detaches what is mounted on a directory of the base: umount2(MNT_DETACH). */
  | { readonly kind: 'detach'; readonly name: string }
  | PathOperation;

/**
 * Mounts by absolute paths (`name`). A batch with these has no others. No symbolic link is followed in `name`, nor in what lies
 * beneath the base of the agent.
 */
export type PathOperation =
  /** `mode` 1: the tmpfs that is mounted there gets new options. */
  | { readonly kind: 'tmpfs'; readonly name: string; readonly options: string; readonly mode: number }
  /** `mode`: bits of `BIND_BITS`. */
  | { readonly kind: 'bind'; readonly name: string; readonly source: string; readonly mode: number }
  /** umount2(2); `mode` 1: with MNT_DETACH. */
  | { readonly kind: 'unmount'; readonly name: string; readonly mode: number }
  /** The binds that follow in the batch do not show this path. */
  | { readonly kind: 'hide'; readonly name: string };

export const BIND_BITS: Readonly<
  Record<'readOnly' | 'recursive' | 'noSuid' | 'noExec' | 'noDev' | 'noAtime' | 'hostPath', number>
> = {
  ...{ readOnly: 1, recursive: 2, noSuid: 4, noExec: 8, noDev: 16, noAtime: 32 },
  /** The source is a path of the host, taken as it is written, without links; `hide` holds for it. */
  hostPath: 64,
};

export interface Reply {
  readonly id: number;
  readonly outcomes: readonly number[];
}

/**
 * One batch, with its length in front.
 * @throws DunnageError INVALID_PATH for a name with a NUL character, NAME_TOO_LONG for one the frame has no room for.
 */
export function encodeBatch(id: number, directory: string, operations: readonly AgentOperation[]): Buffer {
  const parts: Buffer[] = [];
  const head = Buffer.alloc(8);
  head.writeUInt32LE(id, 4);
  parts.push(head, encodeText(directory), encodeNumber16(operations.length));
  for (const operation of operations) {
    const fixed = Buffer.alloc(5);
    fixed.writeUInt8(KIND_BYTE[operation.kind], 0);
    fixed.writeUInt32LE('mode' in operation ? operation.mode : 0, 1);
    parts.push(fixed, encodeText(operation.name), encodeText(secondText(operation)));
  }
  const frame = Buffer.concat(parts);
  frame.writeUInt32LE(frame.length - 4, 0);
  return frame;
}

function secondText(operation: AgentOperation): string {
  if (operation.kind === 'symlink' || operation.kind === 'attach') return operation.target;
  if (operation.kind === 'tmpfs') return operation.options;
  if (operation.kind === 'bind') return operation.source;
  return operation.kind === 'rename' ? operation.newName : '';
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.includes(0)) throw new DunnageError('INVALID_PATH', 'a name holds a NUL character');
  if (bytes.length > TEXT_BYTES_MAX) {
    throw new DunnageError('NAME_TOO_LONG', `a name is ${bytes.length} bytes long, more than ${TEXT_BYTES_MAX}`);
  }
  return Buffer.concat([encodeNumber16(bytes.length), bytes]);
}

function encodeNumber16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value, 0);
  return bytes;
}

/** Puts replies together from the pieces the pipe delivers. */
export class ReplyReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The replies that are whole with this piece. @throws DunnageError CORRUPT if the bytes are no replies. */
  push(piece: Buffer): readonly Reply[] {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const replies: Reply[] = [];
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32LE(0)) {
      const length = bytes.readUInt32LE(0);
      replies.push(decodeReply(bytes.subarray(4, 4 + length)));
      bytes = bytes.subarray(4 + length);
    }
    this.#rest = bytes;
    return replies;
  }
}

function decodeReply(payload: Buffer): Reply {
  const count = payload.length < 6 ? -1 : payload.readUInt16LE(4);
  if (payload.length !== 6 + 4 * count) {
    throw new DunnageError('CORRUPT', `the mount agent sent a reply of ${payload.length} bytes that is none`);
  }
  const outcomes = Array.from({ length: count }, (_, index) => payload.readInt32LE(6 + 4 * index));
  return { id: payload.readUInt32LE(0), outcomes };
}
