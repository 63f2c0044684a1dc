/**
 * Header blocks of ustar, written into memory that is there already. tar-stream makes an object, several closures and a block of
 * its own for each entry; for small files that is more than reading them takes, and most files are small.
 */
import type { Header } from 'tar-stream';
import { BLOCK_BYTES } from './header-block.ts';

const ZERO = 0x30;
const SPACE = 0x20;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;
const TYPE_FLAGS: Readonly<Record<string, number>> = {
  file: 0x30,
  link: 0x31,
  symlink: 0x32,
  'character-device': 0x33,
  'block-device': 0x34,
  directory: 0x35,
  fifo: 0x36,
  'pax-header': 0x78,
};

/** What a header block says. Names are ASCII of 100 bytes at most, owners of 31, and every number fits. */
export interface PlainHeader {
  readonly type: Header['type'];
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly sizeBytes: number;
  readonly seconds: number;
  readonly userName: string;
  readonly groupName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Fills one block. */
export function writeHeaderBlock(target: Buffer, at: number, header: PlainHeader): void {
  target.fill(0, at, at + BLOCK_BYTES);
  target.write(header.name, at, 'latin1');
  writeOctal(target, at + 100, 6, header.mode & 0o7777);
  writeOctal(target, at + 108, 6, header.userId);
  writeOctal(target, at + 116, 6, header.groupId);
  writeOctal(target, at + 124, 11, header.sizeBytes);
  writeOctal(target, at + 136, 11, header.seconds);
  target[at + 156] = TYPE_FLAGS[header.type] ?? ZERO;
  if (header.linkName !== '') target.write(header.linkName, at + 157, 'latin1');
  target.write('ustar\x0000', at + 257, 'latin1');
  if (header.userName !== '') target.write(header.userName, at + 265, 'latin1');
  if (header.groupName !== '') target.write(header.groupName, at + 297, 'latin1');
  writeOctal(target, at + 329, 6, header.deviceMajor);
  writeOctal(target, at + 337, 6, header.deviceMinor);
  let sum = CHECKSUM_BYTES * SPACE;
  for (let index = at; index < at + BLOCK_BYTES; index += 1) sum += target[index] as number;
  writeOctal(target, at + CHECKSUM_AT, 6, sum);
}

/** So many digits and a space. */
function writeOctal(target: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let index = at + digits - 1; index >= at; index -= 1) {
    target[index] = ZERO + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  target[at + digits] = SPACE;
}
