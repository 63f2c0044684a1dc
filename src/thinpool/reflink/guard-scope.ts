/**
 * systemd ends every process of a service with it, the guard of a pool too: but writers go on while the daemon is stopped or started anew.
 * So the guard of a daemon that is a service gets a scope of its own.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';

export interface ScopePlaces {
  /** There if systemd is the manager of this host. */
  readonly runsSystemd: string;
  readonly ownGroups: string;
  readonly program: string;
}

const PLACES: ScopePlaces = {
  runsSystemd: '/run/systemd/system',
  ownGroups: '/proc/self/cgroup',
  program: '/usr/bin/systemd-run',
};

/** Words to put before a command so that it outlives the service this process is; none where it outlives this process anyway. */
export function scopeWords(description: string, places: ScopePlaces = PLACES): readonly string[] {
  if (!existsSync(places.runsSystemd) || !isService(readFileSync(places.ownGroups, 'utf8'))) return [];
  try {
    accessSync(places.program, constants.X_OK);
  } catch {
    return [];
  }
  return [places.program, '--scope', '--quiet', '--collect', `--description=${description}`, '--'];
}

/** By the lines of cgroups(7). What a user has started in a session is in a scope already. */
export function isService(groups: string): boolean {
  return groups
    .split('\n')
    .filter((line) => line.startsWith('0::') || line.includes(':name=systemd:'))
    .some((line) => line.split('/').some((name) => name.endsWith('.service') && !name.startsWith('user@')));
}
