/**
 * Merges what the sources of a Projection gave, in order. Two that give the same path, or one of them a file where the other
 * needs a directory, collide: an error that names both, or (`onCollision: Warn`) the later one wins and a warning says so.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { parentDirectories, shown } from '../path-rules.ts';
import type { MountFile, MountPayload } from '../payload.ts';
import { fileAttributes } from './ownership.ts';
import type { SourceFile } from './source-content.ts';
import type { SourcedSpec } from './source-spec.ts';

/** One source: how it is called and what it gave. */
export interface MergePart {
  readonly title: string;
  readonly files: ReadonlyMap<string, SourceFile>;
}

export interface Merged {
  readonly payload: MountPayload;
  /** One for each path that lost, under `Warn`. */
  readonly warnings: readonly string[];
}

interface Entry {
  readonly title: string;
  readonly file: SourceFile;
}

/** @throws DunnageError ALREADY_EXISTS for a collision. */
export function mergeSources(spec: SourcedSpec, parts: readonly MergePart[]): Merged {
  const taken = new Map<string, Entry>();
  /** Which files need a directory to be one. */
  const below = new Map<string, Set<string>>();
  const warnings: string[] = [];
  const displace = (path: string, loser: string, title: string, winnerPath: string): void => {
    const collision = describe(path, taken.get(loser)?.title ?? '', loser, title, winnerPath);
    if (spec.onCollision === 'Error') throw collided(collision);
    warnings.push(`${collision}; ${title} wins`);
    taken.delete(loser);
    for (const directory of parentDirectories([loser])) below.get(directory)?.delete(loser);
  };
  for (const { title, files } of parts) {
    for (const [path, file] of files) {
      if (taken.has(path)) displace(path, path, title, path);
      for (const loser of [...(below.get(path) ?? [])]) displace(path, loser, title, path);
      for (const directory of parentDirectories([path])) {
        if (taken.has(directory)) displace(directory, directory, title, path);
        const needs = below.get(directory);
        if (needs === undefined) below.set(directory, new Set([path]));
        else needs.add(path);
      }
      taken.set(path, { title, file });
    }
  }
  const payload = new Map<string, MountFile>();
  for (const [path, { file }] of taken) payload.set(path, mountFile(file, spec));
  return { payload, warnings };
}

function mountFile(file: SourceFile, spec: SourcedSpec): MountFile {
  const attributes = fileAttributes(file, spec);
  return file.content instanceof Uint8Array
    ? { ...attributes, data: file.content }
    : { ...attributes, stored: file.content };
}

function describe(path: string, loser: string, loserPath: string, winner: string, winnerPath: string): string {
  if (loserPath === winnerPath) return `${loser} and ${winner} both give "${shown(path)}"`;
  return `"${shown(loserPath)}" of ${loser} and "${shown(winnerPath)}" of ${winner}: "${shown(path)}" would be a file and a directory`;
}

function collided(collision: string): DunnageError {
  return new DunnageError('ALREADY_EXISTS', collision, {
    remedy: 'give one of them a prefix or items, or set spec.onCollision: Warn to let the later one win',
  });
}
