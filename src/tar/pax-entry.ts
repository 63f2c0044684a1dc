/**
 * An entry and the PAX records that say of it what its 512-byte header cannot, or not exactly. Of what is read, the
 * records override the header; those of the entry itself override those of global headers, and an empty value takes one back.
 */
import { type ByteText, isAscii, isUtf8, readableText } from '../base/byte-text.ts';
import { limits } from '../base/limits.ts';
import type { OwnerNumbers } from './acl-text.ts';
import { type EntryType, type FileTime, NO_XATTRS, type TarEntry } from './entry.ts';
import { readFileTime, writeFileTime } from './file-time.ts';
import type { HeaderBlock } from './header-block.ts';
import { readAttributes, writeAttributes } from './pax-attributes.ts';
import { type PaxRecord, writePaxRecord } from './pax-records.ts';

/** What the header block carries by itself; beyond that a record is needed. */
export const HEADER_MAX = {
  /** tar-stream writes six digits, not seven. */
  id: 0o777_777,
  device: 0o777_777,
  sizeBytes: 0o77_777_777_777,
  seconds: 0o17_777_777_777,
  nameBytes: 100,
  ownerNameBytes: 31,
} as const;

const DECIMAL = /^\d{1,16}$/;

/** The records by key, the last of each; of the pieces of sparse files (which repeat) as the list of version 0.1. */
export function mergeRecords(base: ReadonlyMap<string, ByteText>, own: readonly PaxRecord[]): Map<string, ByteText> {
  const merged = new Map(base);
  const pieces: ByteText[] = [];
  for (const [key, value] of own) {
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') pieces.push(value);
    // An attribute may be empty: its record takes nothing back.
    else if (value === '' && !key.startsWith('SCHILY.xattr.') && !key.startsWith('LIBARCHIVE.xattr.'))
      merged.delete(key);
    else merged.set(key, value);
  }
  if (pieces.length > 0) merged.set('GNU.sparse.map', pieces.join(',') as ByteText);
  return merged;
}

/** What is known of an entry when its headers are read: only where a sparse file has data may come later. */
export interface DescribedEntry {
  readonly entry: TarEntry;
  /** Bytes that follow, without the filling of the last block. */
  readonly storedBytes: number;
}

/** The entry of a header with its records, or the reason why it is none. `type` is what the type flag of the header means. */
export function describeEntry(
  type: EntryType,
  header: HeaderBlock,
  records: ReadonlyMap<string, ByteText>,
  numbers: OwnerNumbers,
): DescribedEntry | string {
  let wrong: string | undefined;
  const number = (key: string, otherwise: number): number => {
    const text = records.get(key);
    if (text === undefined) return otherwise;
    const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) wrong ??= `the record ${key} is no number`;
    return value;
  };
  const time = (key: string): FileTime | undefined => {
    const text = records.get(key);
    const value = text === undefined ? undefined : readFileTime(text);
    if (text !== undefined && value === undefined) wrong ??= `the record ${key} is no time`;
    return value;
  };
  const xattrs = records.size === 0 ? NO_XATTRS : readAttributes(records as Map<ByteText, ByteText>, numbers);
  if (typeof xattrs === 'string') return xattrs;
  const stored = number('size', header.sizeBytes);
  const isSpecial = type === 'character-device' || type === 'block-device';
  const name = records.get('GNU.sparse.name') ?? records.get('path') ?? header.name;
  const entry: TarEntry = {
    type,
    name: type === 'directory' ? withoutSlash(name) : name,
    linkName:
      type === 'symlink' || type === 'hard-link' ? (records.get('linkpath') ?? header.linkName) : ('' as ByteText),
    mode: header.mode,
    userId: number('uid', header.userId),
    groupId: number('gid', header.groupId),
    userName: records.get('uname') ?? header.userName,
    groupName: records.get('gname') ?? header.groupName,
    sizeBytes: type === 'file' ? number('GNU.sparse.realsize', number('GNU.sparse.size', stored)) : 0,
    modifyTime: time('mtime') ?? header.modifyTime,
    accessTime: time('atime'),
    changeTime: time('ctime'),
    deviceMajor: isSpecial ? number('SCHILY.devmajor', header.deviceMajor) : 0,
    deviceMinor: isSpecial ? number('SCHILY.devminor', header.deviceMinor) : 0,
    xattrs,
    regions: undefined,
  };
  return wrong ?? nameFault(entry) ?? { entry, storedBytes: stored };
}

function withoutSlash(name: ByteText): ByteText {
  return name.replace(/(?<=.)\/+$/s, '') as ByteText;
}

function nameFault({ name, linkName, type }: TarEntry): string | undefined {
  if (name === '') return 'an entry has no name';
  if (name.length > limits.tarNameBytesMax || linkName.length > limits.tarNameBytesMax) return 'a name is too long';
  if (name.includes('\0') || linkName.includes('\0'))
    return `the name ${JSON.stringify(readableText(name))} has a NUL in it`;
  if (linkName === '' && (type === 'symlink' || type === 'hard-link'))
    return `the link ${readableText(name)} does not say where it leads`;
  return undefined;
}

/** The records of an entry: all that its header block would not say exactly. Empty if it says all. */
export function recordsOf(entry: TarEntry): PaxRecord[] {
  const records: PaxRecord[] = [];
  const add = (key: string, value: string): void => void records.push([key as ByteText, value as ByteText]);
  const { name, linkName, modifyTime } = entry;
  const isLong = (text: string): boolean => text.length > HEADER_MAX.nameBytes;
  const needsName = isLong(entry.type === 'directory' ? `${name}/` : name) || !isAscii(name);
  const needsLinkName = isLong(linkName) || !isAscii(linkName);
  if ((needsName && !isUtf8(name)) || (needsLinkName && !isUtf8(linkName))) add('hdrcharset', 'BINARY');
  if (needsName) add('path', entry.type === 'directory' ? `${name}/` : name);
  if (needsLinkName) add('linkpath', linkName);
  if (entry.userId > HEADER_MAX.id) add('uid', String(entry.userId));
  if (entry.groupId > HEADER_MAX.id) add('gid', String(entry.groupId));
  if (!isPlainOwner(entry.userName)) add('uname', entry.userName);
  if (!isPlainOwner(entry.groupName)) add('gname', entry.groupName);
  if (modifyTime.nanoseconds !== 0 || modifyTime.seconds < 0 || modifyTime.seconds > HEADER_MAX.seconds)
    add('mtime', writeFileTime(modifyTime));
  if (entry.accessTime !== undefined) add('atime', writeFileTime(entry.accessTime));
  if (entry.changeTime !== undefined) add('ctime', writeFileTime(entry.changeTime));
  if (entry.deviceMajor > HEADER_MAX.device) add('SCHILY.devmajor', String(entry.deviceMajor));
  if (entry.deviceMinor > HEADER_MAX.device) add('SCHILY.devminor', String(entry.deviceMinor));
  return entry.xattrs.size === 0 ? records : [...records, ...writeAttributes(entry.xattrs)];
}

function isPlainOwner(name: ByteText): boolean {
  return name === '' || (name.length <= HEADER_MAX.ownerNameBytes && isAscii(name));
}

export function recordsText(records: readonly PaxRecord[]): string {
  return records.map(([key, value]) => writePaxRecord(key, value)).join('');
}
