/**
 * Paths of the host that a chroot map names. Links in them are followed here, one component at a time, so that a path that leads into
 * dunnage's own places is known before anything in there is asked: a daemon that looks into its own mount waits for itself.
 */
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAtOrBeneath } from '../base/paths.ts';
import { systemCode } from '../native/system-error.ts';

export type HostKind = 'directory' | 'file' | 'other';

export interface HostPath {
  /** Absolute, without symbolic links. */
  readonly path: string;
  readonly kind: HostKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/** Undefined if it is missing, or lies in one of `ownPaths`. */
export async function resolveHostPath(path: string, ownPaths: readonly string[]): Promise<HostPath | undefined> {
  const ahead = path.split('/').filter((name) => name !== '' && name !== '.');
  let at = '/';
  let links = 0;
  for (;;) {
    if (ownPaths.some((own) => isAtOrBeneath(at, own))) return undefined;
    const name = ahead.shift();
    if (name === undefined) return await hostPath(at);
    if (name === '..') {
      at = dirname(at);
      continue;
    }
    const next = join(at, name);
    if (ownPaths.some((own) => isAtOrBeneath(next, own))) return undefined;
    const status = await statOrMissing(next);
    if (status === undefined) return undefined;
    if (!status.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) return undefined;
    const text = await readlink(next);
    if (text.startsWith('/')) at = '/';
    ahead.unshift(...text.split('/').filter((part) => part !== '' && part !== '.'));
  }
}

async function hostPath(path: string): Promise<HostPath | undefined> {
  const status = await statOrMissing(path);
  if (status === undefined) return undefined;
  const kind = status.isDirectory() ? 'directory' : status.isFile() ? 'file' : 'other';
  return { path, kind, mode: status.mode & 0o7777, uid: status.uid, gid: status.gid };
}

export interface AncestorInfo {
  /** Relative, as it was given. */
  readonly path: string;
  /** Of the host directory of that name; undefined if the host has none. */
  readonly info: HostPath | undefined;
}

/** Every ancestor of a path in a task, and the path itself, outermost first, each with what the host has there. */
export async function splitPath(path: string, ownPaths: readonly string[] = []): Promise<readonly AncestorInfo[]> {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const ancestors: AncestorInfo[] = [];
  for (let count = 1; count <= names.length; count += 1) {
    const ancestor = names.slice(0, count).join('/');
    ancestors.push({ path: ancestor, info: await resolveHostPath(`/${ancestor}`, ownPaths) });
  }
  return ancestors;
}

/** Whether there is something, a dangling link included. */
export async function pathExists(path: string): Promise<boolean> {
  return (await statOrMissing(path)) !== undefined;
}

/** Whether a directory has nothing in it. @throws what readdir(2) says if there is no such directory. */
export async function pathIsEmpty(path: string): Promise<boolean> {
  return (await readdir(path)).length === 0;
}

async function statOrMissing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
