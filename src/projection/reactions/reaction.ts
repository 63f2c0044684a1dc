/**
 * Reactions: what is done after a swap of a projection, as its manifest says under `spec.onSwap`. They are kept in the
 * store as they are here. Words: a *reaction* is one entry of that list; a *run* is all of them, once, for one generation.
 */

/** Runs a program of the host as the user of the daemon. */
export interface ExecReaction {
  readonly kind: 'exec';
  /** Absolute path of the program, then its arguments. No shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** Signals the process that a file names. */
export interface PidFileReaction {
  readonly kind: 'pidFile';
  readonly pidFile: string;
  /** e.g. `SIGHUP`. */
  readonly signal: string;
}

/** Signals every process of a control group and of those below it. */
export interface CgroupReaction {
  readonly kind: 'cgroup';
  /** Below `CGROUP_ROOT`, in its shortest spelling. */
  readonly cgroup: string;
  readonly signal: string;
}

export type Reaction = ExecReaction | PidFileReaction | CgroupReaction;

export const CGROUP_ROOT = '/sys/fs/cgroup';

/** Of one reaction in one run. `detail` says what happened in numbers and names; never what a program printed. */
export interface ReactionOutcome {
  readonly succeeded: boolean;
  readonly detail: string;
}

/** The generation that a run is for. */
export interface SwapEvent {
  /** Directory under projections/. */
  readonly projection: string;
  readonly generation: number;
  /** Absolute path of the projection in the mount. */
  readonly path: string;
}

/** What of a reaction may be shown: neither arguments nor environment, which might hold a password. */
export function describeReaction(reaction: Reaction): string {
  switch (reaction.kind) {
    case 'exec':
      return `exec ${reaction.command[0]}`;
    case 'pidFile':
      return `${reaction.signal} to ${reaction.pidFile}`;
    case 'cgroup':
      return `${reaction.signal} to ${reaction.cgroup}`;
  }
}
