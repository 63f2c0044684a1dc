/**
 * What each connection asks of the kernel. A feature is used only where the kernel offers it; a connection works
 * without any of those not `required`, only slower.
 *
 * Left out on purpose, but for `allocs`:
 * - ATOMIC_O_TRUNC: where OPEN is never asked, the kernel would truncate its cached size without asking anybody.
 * - DO_READDIRPLUS, READDIRPLUS_AUTO: the kernel caches plain listings of a connection without OPENDIR, and a cached one
 *   costs no request at all; READDIRPLUS never uses that cache.
 * - EXPLICIT_INVAL_DATA: projected content never changes under a node, live content is never cached.
 * - WRITEBACK_CACHE: every write must be answered by the file system itself.
 * - POSIX_ACL, SECURITY_CTX: permissions are mode bits; labels come from the mount option `context=`.
 */
import type { Feature } from './abi.ts';

export type ProfileName = 'root' | 'projections' | 'audited' | 'allocs';

export interface Profile {
  readonly name: ProfileName;
  /** Used if offered. */
  readonly features: readonly Feature[];
}

const COMMON = [
  'ASYNC_READ',
  'ASYNC_DIO',
  'BIG_WRITES',
  'PARALLEL_DIROPS',
  // Reading the device says ECONNABORTED after an abort, so that it is not taken for an unmount.
  'ABORT_ERROR',
  'MAX_PAGES',
  'INIT_EXT',
  'HAS_RESEND',
] as const satisfies readonly Feature[];

/** The kernel refuses it without `default_permissions`, which every mount of ours has. It then no longer says who opens a file. */
const IDMAP = ['ALLOW_IDMAP'] as const satisfies readonly Feature[];

const CACHED = [
  'NO_OPENDIR_SUPPORT',
  'CACHE_SYMLINKS',
  // A cached listing is compared with the directory's mtime, which is asked for first if it was invalidated.
  'AUTO_INVAL_DATA',
] as const satisfies readonly Feature[];

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  root: { name: 'root', features: [...COMMON, ...IDMAP] },
  projections: { name: 'projections', features: [...COMMON, ...IDMAP, ...CACHED, 'NO_OPEN_SUPPORT'] },
  // Every open is asked for, by whom it is: so neither NO_OPEN_SUPPORT nor ALLOW_IDMAP.
  audited: { name: 'audited', features: [...COMMON, ...CACHED] },
  // Served by the loopback engine.
  allocs: {
    name: 'allocs',
    features: [
      ...COMMON,
      ...IDMAP,
      'NO_OPENDIR_SUPPORT',
      'CACHE_SYMLINKS',
      // Content changes through this connection, or somebody says so: no page is dropped because a time changed.
      'EXPLICIT_INVAL_DATA',
      'ATOMIC_O_TRUNC',
      'DO_READDIRPLUS',
      'READDIRPLUS_AUTO',
      // ACLs of the directory beneath decide, and the umask is applied there.
      'POSIX_ACL',
      'DONT_MASK',
      'HANDLE_KILLPRIV_V2',
      'SETXATTR_EXT',
      'HAS_EXPIRE_ONLY',
      'PASSTHROUGH',
    ],
  },
};
