/**
 * The messages of the device-mapper: struct dm_ioctl of <linux/dm-ioctl.h> and what follows it. Numbers are little endian, as the
 * machines are for which there are pools of this kind.
 *
 *   header, 312 bytes | table load: targets | message: sector, text | replies: targets, or a list of names
 */
import assert from 'node:assert/strict';

export const HEADER_BYTES = 312;
const TARGET_BYTES = 40;
const NAME_BYTES = 128;
const UUID_BYTES = 129;

const AT = {
  version: 0,
  dataSize: 12,
  dataStart: 16,
  targetCount: 20,
  openCount: 24,
  flags: 28,
  device: 40,
  name: 48,
  uuid: 176,
} as const;

/** The oldest interface with all that is used here: deferred removal. */
const VERSION = [4, 27, 0] as const;

export const COMMANDS = {
  version: 0,
  listDevices: 2,
  create: 3,
  remove: 4,
  suspend: 6,
  status: 7,
  tableLoad: 9,
  tableClear: 10,
  tableStatus: 12,
  targetMessage: 14,
  armPoll: 16,
} as const;
export type CommandName = keyof typeof COMMANDS;

/** Bits 0, 1, 4, 5, 8, 10, 11 and 17. */
export const FLAGS = {
  readOnly: 0x1,
  suspend: 0x2,
  statusTable: 0x10,
  activePresent: 0x20,
  bufferFull: 0x100,
  skipLockfs: 0x400,
  noFlush: 0x800,
  deferredRemove: 0x2_0000,
} as const;

export interface Target {
  readonly startSectors: number;
  readonly lengthSectors: number;
  readonly type: string;
  readonly parameters: string;
}

export interface Request {
  readonly name?: string;
  readonly uuid?: string;
  readonly flags?: number;
  readonly targets?: readonly Target[];
  readonly message?: string;
  /** Room for a reply. */
  readonly replyBytes?: number;
}

export interface Reply {
  readonly flags: number;
  readonly openCount: number;
  readonly major: number;
  readonly minor: number;
  readonly name: string;
  readonly uuid: string;
  readonly data: Buffer;
  readonly targetCount: number;
}

export function encodeRequest(request: Request): Buffer {
  const { name = '', uuid = '', flags = 0, targets = [], message, replyBytes = 0 } = request;
  assert(Buffer.byteLength(name) < NAME_BYTES && Buffer.byteLength(uuid) < UUID_BYTES, 'names have room');
  const payload = message === undefined ? Buffer.concat(targets.map(encodeTarget)) : encodeMessage(message);
  const bytes = Buffer.alloc(HEADER_BYTES + Math.max(payload.length, replyBytes));
  VERSION.forEach((part, index) => {
    bytes.writeUInt32LE(part, AT.version + 4 * index);
  });
  bytes.writeUInt32LE(bytes.length, AT.dataSize);
  bytes.writeUInt32LE(HEADER_BYTES, AT.dataStart);
  bytes.writeUInt32LE(targets.length, AT.targetCount);
  bytes.writeUInt32LE(flags, AT.flags);
  bytes.write(name, AT.name, 'utf8');
  bytes.write(uuid, AT.uuid, 'utf8');
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

export function decodeReply(bytes: Buffer): Reply {
  const device = bytes.readBigUInt64LE(AT.device);
  return {
    flags: bytes.readUInt32LE(AT.flags),
    openCount: bytes.readInt32LE(AT.openCount),
    ...deviceNumbers(device),
    name: textAt(bytes, AT.name),
    uuid: textAt(bytes, AT.uuid),
    data: bytes.subarray(bytes.readUInt32LE(AT.dataStart), Math.max(HEADER_BYTES, bytes.readUInt32LE(AT.dataSize))),
    targetCount: bytes.readUInt32LE(AT.targetCount),
  };
}

/** Of a reply to `tableStatus`. Each says where the next is, counted from the first. */
export function decodeTargets({ data, targetCount }: Reply): readonly Target[] {
  const targets: Target[] = [];
  for (let index = 0, at = 0; index < targetCount; index += 1) {
    targets.push({
      startSectors: Number(data.readBigUInt64LE(at)),
      lengthSectors: Number(data.readBigUInt64LE(at + 8)),
      type: textAt(data, at + 24),
      parameters: textAt(data, at + TARGET_BYTES),
    });
    at = data.readUInt32LE(at + 20);
  }
  return targets;
}

/** Of a reply to `listDevices`. Each says how far it is to the next, the last one 0; a list of none has device number 0. */
export function decodeNames({ data }: Reply): readonly string[] {
  const names: string[] = [];
  if (data.length < 12 || data.readBigUInt64LE(0) === 0n) return names;
  for (let at = 0; ; ) {
    names.push(textAt(data, at + 12));
    const next = data.readUInt32LE(at + 8);
    if (next === 0) return names;
    at += next;
  }
}

function encodeTarget({ startSectors, lengthSectors, type, parameters }: Target): Buffer {
  assert(type.length < 16);
  // The kernel wants every target at a multiple of 8 and its text ended by NUL.
  const length = Math.ceil((TARGET_BYTES + Buffer.byteLength(parameters) + 1) / 8) * 8;
  const bytes = Buffer.alloc(length);
  bytes.writeBigUInt64LE(BigInt(startSectors), 0);
  bytes.writeBigUInt64LE(BigInt(lengthSectors), 8);
  bytes.writeUInt32LE(length, 20);
  bytes.write(type, 24, 'utf8');
  bytes.write(parameters, TARGET_BYTES, 'utf8');
  return bytes;
}

/** Sector 0, then the text. */
function encodeMessage(message: string): Buffer {
  return Buffer.concat([Buffer.alloc(8), Buffer.from(`${message}\0`, 'utf8')]);
}

function deviceNumbers(device: bigint): { readonly major: number; readonly minor: number } {
  const number = Number(device & 0xff_ff_ff_ffn);
  return { major: (number >>> 8) & 0xfff, minor: (number & 0xff) | ((number >>> 12) & 0xfff00) };
}

function textAt(bytes: Buffer, offset: number): string {
  const end = bytes.indexOf(0, offset);
  return bytes.toString('utf8', offset, end < 0 ? bytes.length : end);
}
