/**
 * Where things are by default: the places of the system for root, those of the XDG base directories for a user.
 */
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Effective user id. */
  readonly userId: number;
  readonly home: string;
}

export function currentSurroundings(): Surroundings {
  return { environment: process.env, userId: process.geteuid?.() ?? 0, home: homedir() };
}

export function defaultStateDir({ environment, userId, home }: Surroundings): string {
  if (userId === 0) return '/var/lib/dunnage';
  return join(absoluteOr(environment['XDG_STATE_HOME'], join(home, '.local/state')), 'dunnage');
}

/** @throws INVALID_ARGUMENT for a user without $XDG_RUNTIME_DIR: no other place is certain to be a tmpfs of his own. */
export function defaultRuntimeDir({ environment, userId }: Surroundings): string {
  if (userId === 0) return '/run/dunnage';
  const base = absoluteOr(environment['XDG_RUNTIME_DIR'], undefined);
  if (base !== undefined) return join(base, 'dunnage');
  throw new DunnageError('INVALID_ARGUMENT', 'XDG_RUNTIME_DIR is not set, so there is no default runtime directory', {
    remedy: 'log in through a session (systemd-logind sets it), or name a directory of your own with --runtime-dir',
  });
}

/** What the user said about where the daemon is; each may be missing. */
export interface WhereAbouts {
  readonly socket?: string | undefined;
  readonly runtimeDir?: string | undefined;
}

/** --runtime-dir, else the directory of an explicitly named socket, else the default. */
export function findRuntimeDir(said: WhereAbouts, surroundings: Surroundings): string {
  if (said.runtimeDir !== undefined) return resolve(said.runtimeDir);
  const socket = saidSocket(said, surroundings);
  return socket === undefined ? defaultRuntimeDir(surroundings) : dirname(socket);
}

/** --socket, else $DUNNAGE_SOCKET, else `<runtime-dir>/dunnage.sock`. */
export function findSocket(said: WhereAbouts, surroundings: Surroundings): string {
  const socket = saidSocket(said, surroundings);
  return socket ?? join(findRuntimeDir(said, surroundings), 'dunnage.sock');
}

/** A --runtime-dir on the command line is nearer than a socket from the environment. */
function saidSocket({ socket, runtimeDir }: WhereAbouts, { environment }: Surroundings): string | undefined {
  if (socket !== undefined) return resolve(socket);
  if (runtimeDir !== undefined) return undefined;
  const fromEnvironment = environment['DUNNAGE_SOCKET'];
  return fromEnvironment === undefined || fromEnvironment === '' ? undefined : resolve(fromEnvironment);
}

/** The XDG rules: a relative path in these variables is invalid and ignored. */
function absoluteOr<Other>(path: string | undefined, other: Other): string | Other {
  return path !== undefined && isAbsolute(path) ? path : other;
}
