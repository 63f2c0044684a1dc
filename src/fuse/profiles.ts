/**
 * What each connection asks of the kernel. A feature is used only where the kernel offers it; a connection works
 * without any of those not `required`, only slower.
 *
 * Left out on purpose:
 * - ATOMIC_O_TRUNC: where OPEN is never asked, the kernel would truncate its cached size without asking anybody.
 * - DO_READDIRPLUS, READDIRPLUS_AUTO: the kernel caches plain listings of a connection without OPENDIR, and a cached one
 *   costs no request at all; READDIRPLUS never uses that cache.
 * - EXPLICIT_INVAL_DATA: projected content never changes under a node, live content is never cached.
 * - WRITEBACK_CACHE: every write must be answered by the file system itself.
 * - POSIX_ACL, SECURITY_CTX: permissions are mode bits; labels come from the mount option `context=`.
 */
import type { Feature } from './abi.ts';

export type ProfileName = 'root' | 'projections' | 'audited';

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
};
