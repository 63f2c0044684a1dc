/** The agent's end of the protocol of agent-protocol.ts, for the agent that is written in JavaScript. */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { AgentOperation } from './agent-protocol.ts';

/** As dunnage-agent has it: what is longer is no batch. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

export interface Batch {
  readonly id: number;
  /** Relative to the base; empty for the base itself. */
  readonly directory: string;
  readonly operations: readonly AgentOperation[];
}

/** Puts batches together from the pieces the pipe delivers. */
export class BatchReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The batches that are whole with this piece. @throws DunnageError CORRUPT if the bytes are no batches. */
  push(piece: Buffer): readonly Batch[] {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const batches: Batch[] = [];
    while (bytes.length >= 4) {
      const length = bytes.readUInt32LE(0);
      if (length > BATCH_BYTES_MAX) throw corrupt(`a batch of ${length} bytes`);
      if (bytes.length < 4 + length) break;
      batches.push(decodeBatch(bytes.subarray(4, 4 + length)));
      bytes = bytes.subarray(4 + length);
    }
    this.#rest = bytes;
    return batches;
  }
}

/** One reply, with its length in front. */
export function encodeReply(id: number, outcomes: readonly number[]): Buffer {
  const frame = Buffer.alloc(10 + 4 * outcomes.length);
  frame.writeUInt32LE(frame.length - 4, 0);
  frame.writeUInt32LE(id, 4);
  frame.writeUInt16LE(outcomes.length, 8);
  for (const [index, outcome] of outcomes.entries()) frame.writeInt32LE(outcome, 10 + 4 * index);
  return frame;
}

function decodeBatch(payload: Buffer): Batch {
  const cursor = new Cursor(payload);
  const id = cursor.u32();
  const directory = cursor.text();
  const operations = Array.from({ length: cursor.u16() }, () => decodeOperation(cursor));
  if (!cursor.atEnd) throw corrupt('bytes behind a batch');
  return { id, directory, operations };
}

function decodeOperation(cursor: Cursor): AgentOperation {
  const kind = cursor.u8();
  const mode = cursor.u32();
  const name = cursor.text();
  const second = cursor.text();
  switch (kind) {
    case 1:
      return { kind: 'mkdir', name, mode };
    case 2:
      return { kind: 'symlink', name, target: second };
    case 3:
      return { kind: 'rename', name, newName: second };
    case 4:
      return { kind: 'unlink', name };
    case 5:
      return { kind: 'rmdir', name };
    case 6:
      return { kind: 'mknod', name, mode };
    case 7:
      return { kind: 'modify', name };
    case 8:
      return { kind: 'chmod', name, mode };
    default:
      throw corrupt(`an operation of kind ${kind}`);
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#take(1).readUInt8(0);
  }

  u16(): number {
    return this.#take(2).readUInt16LE(0);
  }

  u32(): number {
    return this.#take(4).readUInt32LE(0);
  }

  text(): string {
    return this.#take(this.u16()).toString('utf8');
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw corrupt('a batch that is cut off');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}

function corrupt(what: string): DunnageError {
  return new DunnageError('CORRUPT', `the mount agent was sent ${what}`);
}
