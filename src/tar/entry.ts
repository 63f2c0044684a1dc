/** What an archive says about one file, directory, link or device: all that Linux keeps of it. */
import type { ByteText } from '../base/byte-text.ts';

export type EntryType = 'file' | 'hard-link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

/** Seconds since 1970, negative before, and nanoseconds (0 to 999,999,999) that are added to them. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A piece of a sparse file that holds data; between the pieces are zeros that take no space. */
export interface DataRegion {
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface TarEntry {
  readonly type: EntryType;
  /** As it stands in the archive, without the `/` that follows the name of a directory. */
  readonly name: ByteText;
  /** Text of a symbolic link, or the name of the entry that a hard link repeats; empty for all others. */
  readonly linkName: ByteText;
  /** Permission bits with setuid, setgid and sticky: 0 to 07777. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Empty if the archive names none. */
  readonly userName: ByteText;
  readonly groupName: ByteText;
  /** Length of the file, with its holes; 0 for all but files. */
  readonly sizeBytes: number;
  readonly modifyTime: FileTime;
  readonly accessTime: FileTime | undefined;
  readonly changeTime: FileTime | undefined;
  /** Of the device that the entry is; 0 for all others. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** By name (`user.comment`, `security.capability`, `system.posix_acl_access`), as the kernel has them. */
  readonly xattrs: ReadonlyMap<ByteText, Buffer>;
  /** Where a sparse file has data, in ascending order; undefined if it has no holes. */
  readonly regions: readonly DataRegion[] | undefined;
}

export const NO_XATTRS: ReadonlyMap<ByteText, Buffer> = new Map();

const DEFAULTS = {
  linkName: '' as ByteText,
  mode: 0o644,
  userId: 0,
  groupId: 0,
  userName: '' as ByteText,
  groupName: '' as ByteText,
  sizeBytes: 0,
  modifyTime: { seconds: 0, nanoseconds: 0 },
  accessTime: undefined,
  changeTime: undefined,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: NO_XATTRS,
  regions: undefined,
} as const;

/** An entry with what is given; the rest is 0, empty or 0644. */
export function tarEntry(given: Pick<TarEntry, 'type' | 'name'> & Partial<TarEntry>): TarEntry {
  return { ...DEFAULTS, ...given };
}

/** How many bytes of content follow the header: the length of the file without its holes. */
export function storedBytes(entry: TarEntry): number {
  if (entry.regions === undefined) return entry.sizeBytes;
  return entry.regions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
