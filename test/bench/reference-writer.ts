/**
 * The baseline of the swap figures: the reference's atomic writer on a plain directory, step by step as it is today, and
 * made durable the cheapest correct way: content and the new directory are flushed before the rename, the target after
 * it. Synchronous calls, because nothing is faster from Node.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Relative, clean path -> content. */
export type PlainFiles = ReadonlyMap<string, Uint8Array>;

export interface ReferenceOptions {
  /** Flush what must survive a power loss. The reference itself never does. */
  readonly durable: boolean;
}

function publishedDirectory(target: string): string | undefined {
  try {
    return readlinkSync(join(target, '..data'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isChanged(oldDirectory: string, files: PlainFiles): boolean {
  const old = readdirSync(oldDirectory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (old.length !== files.size) return true;
  for (const [path, data] of files) {
    try {
      if (!readFileSync(join(oldDirectory, path)).equals(data)) return true;
    } catch {
      return true;
    }
  }
  return false;
}

function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeFiles(directory: string, files: PlainFiles, durable: boolean): void {
  const descriptors: number[] = [];
  const folders = new Set<string>([directory]);
  for (const [path, data] of files) {
    const file = join(directory, path);
    if (path.includes('/')) {
      mkdirSync(dirname(file), { recursive: true });
      folders.add(dirname(file));
    }
    const descriptor = openSync(file, 'w', 0o644);
    writeSync(descriptor, data);
    chmodSync(file, 0o644);
    descriptors.push(descriptor);
  }
  // All are written before the first is flushed: that one flush then carries most of the work of the others.
  for (const descriptor of descriptors) {
    if (durable) fsyncSync(descriptor);
    closeSync(descriptor);
  }
  if (durable) for (const folder of folders) flush(folder);
}

function updateLinks(target: string, files: PlainFiles): void {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of wanted) {
    if (lstatSync(join(target, name), { throwIfNoEntry: false }) === undefined)
      symlinkSync(`..data/${name}`, join(target, name));
  }
  for (const name of readdirSync(target)) {
    if (!name.startsWith('..') && !wanted.has(name)) unlinkSync(join(target, name));
  }
}

/** One write of the reference's algorithm into `target`, which exists. */
export function referenceWrite(target: string, files: PlainFiles, { durable }: ReferenceOptions): void {
  const old = publishedDirectory(target);
  if (old !== undefined && !isChanged(join(target, old), files)) {
    updateLinks(target, files);
    return;
  }
  const directory = `..2026_01_01_00_00_00.${randomBytes(6).toString('hex')}`;
  mkdirSync(join(target, directory), 0o755);
  writeFiles(join(target, directory), files, durable);
  symlinkSync(directory, join(target, '..data_tmp'));
  renameSync(join(target, '..data_tmp'), join(target, '..data'));
  updateLinks(target, files);
  if (durable) flush(target);
  if (old !== undefined) rmSync(join(target, old), { recursive: true });
}
