/**
 * The 512-byte header of an entry, as it stands: ustar (POSIX), GNU, star and the format before them (v7). What the extended
 * headers in front of it say is added elsewhere (pax-entry.ts).
 */
import { type ByteText, byteTextOf } from '../base/byte-text.ts';
import type { FileTime } from './entry.ts';
import { readHeaderNumber } from './header-numbers.ts';

export const BLOCK_BYTES = 512;

export type HeaderFormat = 'v7' | 'ustar' | 'gnu' | 'star';

export interface HeaderBlock {
  readonly format: HeaderFormat;
  /** One character; a NUL is `0`. */
  readonly typeFlag: string;
  readonly name: ByteText;
  readonly linkName: ByteText;
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Bytes that follow the header. */
  readonly sizeBytes: number;
  readonly modifyTime: FileTime;
  readonly userName: ByteText;
  readonly groupName: ByteText;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  userId: [108, 8],
  groupId: [116, 8],
  size: [124, 12],
  modifyTime: [136, 12],
  checksum: [148, 8],
  typeFlag: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  userName: [265, 32],
  groupName: [297, 32],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
  starPrefix: [345, 131],
  starMark: [508, 4],
} as const satisfies Record<string, readonly [number, number]>;

type Field = (typeof FIELD)[keyof typeof FIELD];

/** A block of zeros ends an archive. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let at = 0; at < BLOCK_BYTES; at += 1) if (block[at] !== 0) return false;
  return true;
}

/** The header, or the reason why the block is none. */
export function readHeaderBlock(block: Uint8Array): HeaderBlock | string {
  if (!isChecksumRight(block)) return 'its checksum is wrong';
  const format = formatOf(block);
  let wrong: string | undefined;
  const number = (field: Field, what: string): number => {
    const value = readHeaderNumber(block, field[0], field[1]);
    if (value === undefined) wrong ??= `its ${what} is no number`;
    return value ?? 0;
  };
  const natural = (field: Field, what: string): number => {
    const value = number(field, what);
    if (value < 0) wrong ??= `its ${what} is negative`;
    return value;
  };
  const hasDevices = format !== 'v7';
  const header: HeaderBlock = {
    format,
    typeFlag: block[FIELD.typeFlag[0]] === 0 ? '0' : String.fromCharCode(block[FIELD.typeFlag[0]] ?? 0),
    name: nameOf(block, format),
    linkName: text(block, FIELD.linkName),
    mode: natural(FIELD.mode, 'mode') & 0o7777,
    userId: natural(FIELD.userId, 'owner'),
    groupId: natural(FIELD.groupId, 'group'),
    sizeBytes: natural(FIELD.size, 'size'),
    modifyTime: { seconds: number(FIELD.modifyTime, 'time'), nanoseconds: 0 },
    userName: hasDevices ? text(block, FIELD.userName) : ('' as ByteText),
    groupName: hasDevices ? text(block, FIELD.groupName) : ('' as ByteText),
    deviceMajor: hasDevices ? natural(FIELD.deviceMajor, 'device number') : 0,
    deviceMinor: hasDevices ? natural(FIELD.deviceMinor, 'device number') : 0,
  };
  return wrong ?? header;
}

/** Some writers have added the bytes up as signed ones: both sums are right. */
function isChecksumRight(block: Uint8Array): boolean {
  const [start, length] = FIELD.checksum;
  const stated = readHeaderNumber(block, start, length);
  // The field itself counts as spaces.
  let plain = length * 0x20;
  let signed = plain;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    if (at === start) at += length;
    const byte = block[at] ?? 0;
    plain += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stated === plain || stated === signed;
}

function formatOf(block: Uint8Array): HeaderFormat {
  const magic = byteTextOf(block.subarray(FIELD.magic[0], FIELD.magic[0] + FIELD.magic[1]));
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  const mark = byteTextOf(block.subarray(FIELD.starMark[0], FIELD.starMark[0] + FIELD.starMark[1]));
  return mark === 'tar\0' ? 'star' : 'ustar';
}

/** GNU has other things where the others have the beginning of a long name. */
function nameOf(block: Uint8Array, format: HeaderFormat): ByteText {
  const name = text(block, FIELD.name);
  const prefix =
    format === 'ustar' ? text(block, FIELD.prefix) : format === 'star' ? text(block, FIELD.starPrefix) : '';
  return (prefix === '' ? name : `${prefix}/${name}`) as ByteText;
}

/** Up to its first NUL, if it has one. */
function text(block: Uint8Array, [start, length]: Field): ByteText {
  let end = start;
  while (end < start + length && block[end] !== 0) end += 1;
  return byteTextOf(block.subarray(start, end));
}
