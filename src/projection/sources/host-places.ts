/**
 * Where a change may happen that makes a path of the host mean something else: every directory on the way to it, with the
 * name in it that leads on. Links are followed; what is not there yet is waited for in the last directory that is.
 */
import { lstat, readlink } from 'node:fs/promises';
import { join, resolve } from 'node:path/posix';
import { unless } from '../beneath.ts';

/** The kernel follows no more than that. */
const LINKS_MAX = 40;

export interface HostPlaces {
  /** Names of interest by directory. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  /** What the path leads to, without links; undefined if there is nothing. */
  readonly target: { readonly path: string; readonly identity: string } | undefined;
}

export async function hostPlaces(path: string): Promise<HostPlaces> {
  const names = new Map<string, Set<string>>();
  const rest = components(path);
  let current = '/';
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const full = join(current, name);
    const known = names.get(current);
    if (known === undefined) names.set(current, new Set([name]));
    else known.add(name);
    const found = await unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => lstat(full));
    if (found === undefined) return { names, target: undefined };
    if (!found.isSymbolicLink()) {
      current = full;
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) return { names, target: undefined };
    const target = await unless(['ENOENT', 'EINVAL'], () => readlink(full));
    if (target === undefined) return { names, target: undefined };
    rest.unshift(...components(resolve(current, target)));
    current = '/';
  }
  const found = await unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => lstat(current));
  return { names, target: found && { path: current, identity: `${found.dev}:${found.ino}` } };
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Whether two readings of the same path found the same places and the same target. */
export function samePlaces(one: HostPlaces, other: HostPlaces): boolean {
  return signature(one) === signature(other);
}

function signature({ names, target }: HostPlaces): string {
  return JSON.stringify([[...names].map(([directory, set]) => [directory, ...set]), target ?? null]);
}
