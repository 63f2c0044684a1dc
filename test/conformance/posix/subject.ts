/** What the POSIX suite is run on, and how it says what does not apply there. */
import type { Launch } from './actor.ts';

/** What not every kernel or file system has. */
export type PosixAbility =
  /** What only root of the first user namespace may: devices, `trusted.*`, file capabilities, ids of everybody. */
  | 'host-root'
  /** Modes of symbolic links can be asked for (fchmodat2, Linux 6.6). */
  | 'fchmodat2'
  /** O_DIRECT with shared memory mappings of the same file. */
  | 'direct-io'
  /** F_SETFL takes O_APPEND away. */
  | 'append-taken-away'
  /** Reading what is in the page cache changes atime. */
  | 'atime-of-cached-reads'
  /** Writing through a shared mapping changes the times of the file. */
  | 'times-of-mappings'
  /** Set-group-ID without execution by the group stays for members of the group. */
  | 'loose-setgid'
  /** A removed directory that is open has its inode number for itself. */
  | 'inodes-of-removed-directories'
  /** RENAME_WHITEOUT. */
  | 'whiteouts'
  /** FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE. */
  | 'range-shifts'
  /** FALLOC_FL_ZERO_RANGE. */
  | 'zero-range'
  /** Leases (F_SETLEASE). */
  | 'leases';

export interface PosixPlace {
  /** An empty directory on the file system, reachable for every user. Every test makes its own beneath. */
  readonly directory: string;
  /** User and group of the directories that tests make; 0 if not given. */
  readonly owner?: number;
  stop(): Promise<void>;
}

export interface PosixSubject {
  readonly name: string;
  /** Why nothing of it can be tried here. */
  readonly skip?: string;
  /** Abilities that are missing, each with the reason. */
  readonly lacks: Readonly<Partial<Record<PosixAbility, string>>>;
  /** Areas that are tried; all if not given. */
  readonly areas?: readonly string[];
  readonly launch?: Launch;
  start(): Promise<PosixPlace>;
}
