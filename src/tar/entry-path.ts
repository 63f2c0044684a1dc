/** Where an entry of an archive belongs below the directory that it is unpacked in. */
import type { ByteText } from '../base/byte-text.ts';

export interface EntryPath {
  /** Names of the directories on the way, outermost first. */
  readonly parents: readonly string[];
  /** Empty for the directory itself. */
  readonly name: string;
}

/** Undefined if the name is absolute or has `..` in it: it may lead outside. */
export function entryPath(name: ByteText): EntryPath | undefined {
  if (name.startsWith('/')) return undefined;
  const names = name.split('/').filter((part) => part !== '' && part !== '.');
  if (names.includes('..')) return undefined;
  return { parents: names.slice(0, -1), name: names.at(-1) ?? '' };
}

export function pathText({ parents, name }: EntryPath): ByteText {
  return [...parents, name].join('/') as ByteText;
}

/**
 * Whether a symbolic link at that place leads outside of the directory, by its text alone: absolute, or more `..` than there are
 * directories above it. Other links on the way are not looked at.
 */
export function leadsOutside({ parents }: EntryPath, text: ByteText): boolean {
  if (text.startsWith('/')) return true;
  let depth = parents.length;
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    depth += part === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}
