/** The shape of a check: a name and a function from probes to an outcome. The list is data, so each can be tried alone. */
import type { MountRow } from '../../mounts/mount-table.ts';
import type { DaemonStatus } from '../../server/operations.ts';

export type Verdict = 'ok' | 'warn' | 'fail';

export interface Outcome {
  readonly verdict: Verdict;
  /** What was found. */
  readonly detail: string;
  /** What mends it, a line each; a command where there is one. */
  readonly remedy?: readonly string[];
}

export interface Check {
  readonly name: string;
  readonly run: (probes: Probes, places: Places) => Promise<Outcome>;
}

export interface Places {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly socketPath: string;
}

/** What checks ask of the host. Failures are answers here, not exceptions. */
export interface Probes {
  readonly nodeVersion: string;
  /** `uname -r`. */
  readonly kernelRelease: string;
  readonly userId: number;
  hasSysAdmin(): Promise<boolean>;
  /** undefined if fuse-native and libfuse 2 are there, else why not and what mends it. */
  loadFuseNative(): Promise<{ readonly message: string; readonly remedy: string | undefined } | undefined>;
  /** The path of a program in $PATH. */
  findProgram(name: string): Promise<string | undefined>;
  /** undefined if it can be opened for reading and writing, else the symbolic errno. */
  openDevice(path: string): Promise<string | undefined>;
  readFile(path: string): Promise<string | undefined>;
  /** undefined if the addon and the helper programs are there and load, else why not and what mends it. */
  loadNative(): Promise<{ readonly message: string; readonly remedy: string | undefined } | undefined>;
  /** The path itself or, if it does not exist, the nearest directory above that does; and whether this user may write there. */
  writability(path: string): Promise<{ readonly existing: string; readonly writable: boolean }>;
  /** Whether the file system of the path (or of the nearest existing directory above) lives in memory. */
  isInMemory(path: string): Promise<boolean>;
  mounts(): Promise<readonly MountRow[]>;
  daemon(socketPath: string): Promise<DaemonAnswer>;
  holder(socketPath: string): Promise<'none' | 'there' | { readonly problem: string }>;
}

export type DaemonAnswer =
  | { readonly kind: 'live'; readonly status: DaemonStatus }
  | { readonly kind: 'none' }
  | { readonly kind: 'problem'; readonly message: string; readonly remedy: string | undefined };

export const ok = (detail: string): Outcome => ({ verdict: 'ok', detail });
export const warn = (detail: string, ...remedy: readonly string[]): Outcome => ({ verdict: 'warn', detail, remedy });
export const fail = (detail: string, ...remedy: readonly string[]): Outcome => ({ verdict: 'fail', detail, remedy });
