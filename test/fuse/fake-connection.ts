/** A connection on a fake channel, past INIT, and a file system that a test defines operation by operation. */

import type { Clock } from '../../src/base/clock.ts';
import type { NodeId } from '../../src/base/ids.ts';
import type { Log, LogFields } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { type Feature, INIT_FLAG, OPCODE, type OpcodeName } from '../../src/fuse/abi.ts';
import { Connection } from '../../src/fuse/connection.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { PROFILES, type ProfileName } from '../../src/fuse/profiles.ts';
import type { RequestJournal } from '../../src/fuse/request-journal.ts';
import type { Attributes, FileSystem } from '../../src/vfs/file-system.ts';
import { FakeChannel, type SentReply } from './fake-channel.ts';
import { type Field, type RequestFields, requestBytes, u32 } from './request-bytes.ts';

/** Recognisable values, none of which fits into 32 bits where the wire has 64. */
export const ATTRIBUTES: Attributes = {
  nodeId: 0x1_0000_0007 as NodeId,
  mode: 0o100640,
  nlink: 3,
  uid: 11,
  gid: 22,
  sizeBytes: 0x2_0000_0005,
  blocks: 9,
  mtime: { seconds: 1_700_000_000, nanoseconds: 5 },
};

/** Refuses everything that a test does not define; records what is forgotten. */
export function fileSystem(operations: Partial<FileSystem> = {}): FileSystem & { forgotten: [number, number][] } {
  const refuse = (): never => {
    throw new DunnageError('NOT_FOUND', 'not defined by the test');
  };
  const forgotten: [number, number][] = [];
  return {
    forgotten,
    lookup: refuse,
    forget: (nodeId, count) => void forgotten.push([nodeId, count]),
    getAttributes: refuse,
    readDirectory: refuse,
    statFileSystem: refuse,
    ...operations,
  };
}

export interface LogLine {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

export class FakeConnection {
  readonly channel: FakeChannel;
  readonly connection: Connection;
  readonly lines: LogLine[] = [];
  readonly ends: number[] = [];
  readonly records: NegotiatedRecord[] = [];
  #unique = 2n;

  constructor(
    served: FileSystem,
    options: {
      profile?: ProfileName;
      offered?: readonly Feature[];
      clock?: Clock;
      journal?: RequestJournal;
      /** Then there is no INIT. */
      resume?: NegotiatedRecord;
      /** What the channel's `send` returns. */
      sendErrno?: number;
    } = {},
  ) {
    const { createChannel, channels } = FakeChannel.factory();
    this.connection = new Connection({
      name: 'test',
      device: 99,
      fileSystem: served,
      profile: PROFILES[options.profile ?? 'projections'],
      log: this.#log(),
      createChannel,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.journal === undefined ? {} : { journal: options.journal }),
      ...(options.resume === undefined ? {} : { resume: options.resume }),
      onInit: (record) => void this.records.push(record),
      onEnd: (errno) => void this.ends.push(errno),
    });
    this.channel = channels[0] as FakeChannel;
    this.channel.sendErrno = options.sendErrno ?? 0;
    this.connection.start();
    if (options.resume !== undefined) return;
    this.ask('INIT', { body: initBody(options.offered ?? (Object.keys(INIT_FLAG) as Feature[])) });
    this.channel.replies.length = 0;
  }

  /** Sends a request; the reply if it came at once. */
  ask(operation: OpcodeName, fields: Omit<RequestFields, 'opcode'> = {}): SentReply | undefined {
    this.#unique += 2n;
    return this.channel.ask(requestBytes({ unique: this.#unique, ...fields, opcode: OPCODE[operation] }));
  }

  #log(): Log {
    const keep =
      (level: string): Log['info'] =>
      (fields, message) =>
        void this.lines.push({ level, fields, message });
    return { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
  }
}

/** Body of an INIT request, as kernels from 7.36 on send it. */
export function initBody(offered: readonly Feature[], minor = 45, major = 7): Field[] {
  let flags = 0n;
  for (const feature of offered) flags |= 1n << BigInt(INIT_FLAG[feature]);
  const words = [major, minor, 131_072, Number(flags & 0xffff_ffffn), Number(flags >> 32n)];
  return [...words, ...new Array(11).fill(0)].map((value: number) => u32(value));
}
