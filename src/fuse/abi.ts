/**
 * Numbers of the FUSE protocol, version 7, as the kernel's `include/uapi/linux/fuse.h` defines them. Spelled out here
 * because the headers of the distributions we build on stop at 7.38.
 *
 * All fields are in the byte order of the host. Structures are given as offsets in the codecs that use them.
 */

export const FUSE_MAJOR = 7;
/** Newest minor version this program knows. */
export const FUSE_MINOR = 45;
/** Linux 5.4. Older kernels lack what the mount relies on (zero-message OPENDIR, cached symlinks, cached directories). */
export const FUSE_MINOR_MIN = 31;

export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;

export const OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

export type OpcodeName = keyof typeof OPCODE;

/** One more than the largest opcode known; larger ones are counted and answered as unknown. */
export const OPCODE_COUNT = 54;

const OPCODE_NAMES: readonly (OpcodeName | undefined)[] = (() => {
  const names: (OpcodeName | undefined)[] = new Array(OPCODE_COUNT).fill(undefined);
  for (const [name, opcode] of Object.entries(OPCODE)) names[opcode] = name as OpcodeName;
  return names;
})();

/** `LOOKUP` for 1; `opcode 77` for what is not known. */
export function opcodeName(opcode: number): string {
  return OPCODE_NAMES[opcode] ?? `opcode ${opcode}`;
}

/** Bit numbers in the 64 flag bits of INIT. Bits from 32 on travel in `flags2`, valid only together with INIT_EXT. */
export const INIT_FLAG = {
  ASYNC_READ: 0,
  POSIX_LOCKS: 1,
  ATOMIC_O_TRUNC: 3,
  EXPORT_SUPPORT: 4,
  BIG_WRITES: 5,
  DONT_MASK: 6,
  SPLICE_WRITE: 7,
  SPLICE_MOVE: 8,
  SPLICE_READ: 9,
  FLOCK_LOCKS: 10,
  HAS_IOCTL_DIR: 11,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  ASYNC_DIO: 15,
  WRITEBACK_CACHE: 16,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  HANDLE_KILLPRIV: 19,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  MAP_ALIGNMENT: 26,
  SUBMOUNTS: 27,
  HANDLE_KILLPRIV_V2: 28,
  SETXATTR_EXT: 29,
  INIT_EXT: 30,
  SECURITY_CTX: 32,
  HAS_INODE_DAX: 33,
  CREATE_SUPP_GROUP: 34,
  HAS_EXPIRE_ONLY: 35,
  DIRECT_IO_ALLOW_MMAP: 36,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
  ALLOW_IDMAP: 40,
  OVER_IO_URING: 41,
  REQUEST_TIMEOUT: 42,
} as const;

export type Feature = keyof typeof INIT_FLAG;

/** Bits of `open_flags` in the reply to OPEN and OPENDIR: what `OpenReply.flags` holds. */
export const FOPEN = {
  DIRECT_IO: 0x1,
  KEEP_CACHE: 0x2,
  NONSEEKABLE: 0x4,
  CACHE_DIR: 0x8,
  STREAM: 0x10,
  NOFLUSH: 0x20,
  PARALLEL_DIRECT_WRITES: 0x40,
  PASSTHROUGH: 0x80,
} as const;

/** Travels in the error field of a message whose unique is 0. */
export const NOTIFY = {
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  STORE: 4,
  RETRIEVE: 5,
  DELETE: 6,
  RESEND: 7,
  INC_EPOCH: 8,
  PRUNE: 9,
} as const;

/** Bits of `fuse_setattr_in.valid`. */
export const FATTR = {
  MODE: 0x1,
  UID: 0x2,
  GID: 0x4,
  SIZE: 0x8,
  ATIME: 0x10,
  MTIME: 0x20,
  FH: 0x40,
  ATIME_NOW: 0x80,
  MTIME_NOW: 0x100,
  LOCKOWNER: 0x200,
  CTIME: 0x400,
  KILL_SUIDGID: 0x800,
} as const;

/** `fuse_getattr_in.getattr_flags`: the request names a file handle. */
export const GETATTR_FH = 0x1;
/** `fuse_write_in.write_flags`: the page cache writes on behalf of a shared mapping, nobody waits for the outcome. */
export const WRITE_CACHE = 0x1;
/** Bit 63 of a request's unique: the kernel sends it again after NOTIFY_RESEND. Seen as bit 31 of the high word. */
export const UNIQUE_RESEND_HIGH = 0x8000_0000;
