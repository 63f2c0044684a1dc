/** What the demo shows: the tree as `ls -l` would, the events as a timeline. Pure text from data. */
import { constants } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReaderMessage } from './reader-messages.ts';

export interface TreeEntry {
  readonly name: string;
  /** `drwxr-xr-x` and so on. */
  readonly mode: string;
  /** Where a symlink points. */
  readonly target: string | undefined;
  readonly entries: readonly TreeEntry[];
}

const TYPE_LETTERS: Readonly<Record<number, string>> = {
  [constants.S_IFDIR]: 'd',
  [constants.S_IFLNK]: 'l',
  [constants.S_IFREG]: '-',
};

/** `0o100640` -> `-rw-r-----`. */
export function formatMode(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  return (TYPE_LETTERS[mode & constants.S_IFMT] ?? '?') + letters.join('');
}

/** Reads a directory and what is below it; links are shown, not followed. */
export async function readTree(directory: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    const stats = await lstat(path);
    const target = stats.isSymbolicLink() ? await readlink(path) : undefined;
    const below = stats.isDirectory() ? await readTree(path) : [];
    entries.push({ name, mode: formatMode(stats.mode), target, entries: below });
  }
  return entries;
}

/** One line per entry, with the branches of tree(1). */
export function drawTree(entries: readonly TreeEntry[], indent: string = ''): string[] {
  return entries.flatMap((entry, index) => {
    const isLast = index === entries.length - 1;
    const name = entry.target === undefined ? entry.name : `${entry.name} -> ${entry.target}`;
    const slash = entry.mode.startsWith('d') ? '/' : '';
    const line = `${entry.mode}  ${indent}${isLast ? '└── ' : '├── '}${name}${slash}`;
    return [line, ...drawTree(entry.entries, `${indent}${isLast ? '    ' : '│   '}`)];
  });
}

export interface TimelineEntry {
  /** Milliseconds since the rotation began. */
  readonly afterMs: number;
  readonly what: string;
}

/** Turns what the reader told into a timeline, with the read that first gave the new value as a row of its own. */
export function toTimeline(messages: readonly ReaderMessage[], startMs: number): TimelineEntry[] {
  const rows = messages.flatMap((message): TimelineEntry[] => {
    if (message.type === 'event') {
      return [{ afterMs: message.atMs - startMs, what: `${message.event.padEnd(11)} ${message.name}` }];
    }
    return message.type === 'value'
      ? [{ afterMs: message.atMs - startMs, what: `a read gives "${message.value}"` }]
      : [];
  });
  return rows.sort((a, b) => a.afterMs - b.afterMs);
}

export function drawTimeline(timeline: readonly TimelineEntry[]): string[] {
  return timeline.map(({ afterMs, what }) => `${`+${afterMs.toFixed(2)}`.padStart(9)} ms  ${what}`);
}
