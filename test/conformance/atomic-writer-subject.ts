/**
 * What the conformance suite of the atomic writer tests: a place where a projection is visible, and a way to write to
 * it. The suite only reads `root`, with asynchronous calls, so that `root` may be a mount served by a child process.
 */
import assert from 'node:assert/strict';
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileProjection } from '../../src/projection/payload.ts';

export type Files = Readonly<Record<string, FileProjection>>;

export interface AtomicWriterSubject {
  /** Path of the directory where the projection is visible. It may come into being with the first write. */
  readonly root: string;
  write(payload: Files): Promise<{ readonly changed: boolean; readonly directoryName: string }>;
  /** Names of the timestamped directories that are there to stay: without those replaced and only awaiting removal. */
  listTimestampDirectories(): Promise<readonly string[]>;
  cleanup(): Promise<void>;
  /** Given if tests may change `root` behind the writer's back with plain system calls. */
  readonly plant?: Plant;
}

/** Damages a target; names are relative to the root. */
export interface Plant {
  symlink(name: string, target: string): Promise<void>;
  file(name: string, content: string): Promise<void>;
  directory(name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export type SubjectFactory = () => Promise<AtomicWriterSubject>;

/** A file of the tests: text or bytes, mode 0644 unless given. */
export function file(content: string | Uint8Array, mode = 0o644): FileProjection {
  return { data: typeof content === 'string' ? Buffer.from(content) : content, mode };
}

export interface SeenFile {
  readonly mode: number;
  readonly content: string;
}

/** Walks from the visible names (those not beginning with `..`) and returns every file with its mode and content (latin1). */
export async function readVisible(root: string): Promise<Record<string, SeenFile>> {
  const names = (await readdir(root)).filter((name) => !name.startsWith('..'));
  const found: Record<string, SeenFile> = {};
  for (const name of names) {
    assert.equal(await readlink(join(root, name)), `..data/${name}`, `${name} is the link it should be`);
    await readInto(root, name, found);
  }
  return found;
}

/** Reads everything below a directory, e.g. `root/..data`, that is not a link. */
export async function readTree(directory: string): Promise<Record<string, SeenFile>> {
  const found: Record<string, SeenFile> = {};
  for (const name of await readdir(directory)) await readInto(directory, name, found);
  return found;
}

async function readInto(base: string, path: string, found: Record<string, SeenFile>): Promise<void> {
  const stats = await stat(join(base, path));
  if (stats.isDirectory()) {
    for (const name of await readdir(join(base, path))) await readInto(base, `${path}/${name}`, found);
    return;
  }
  assert.ok(stats.isFile(), `${path} is a file`);
  found[path] = { mode: stats.mode % 0o10000, content: await readFile(join(base, path), 'latin1') };
}

/** The same picture, of what was asked for; keys must be clean. */
export function expectedTree(files: Files): Record<string, SeenFile> {
  return Object.fromEntries(
    Object.entries(files).map(([path, { mode, data }]) => [
      path,
      { mode, content: Buffer.from(data).toString('latin1') },
    ]),
  );
}

/** Everything that must hold after a successful write of `files` (clean keys). */
export async function assertProjected(
  subject: AtomicWriterSubject,
  files: Files,
  directoryName: string,
): Promise<void> {
  const { root } = subject;
  assert.deepEqual(await readVisible(root), expectedTree(files));
  assert.equal(await readlink(join(root, '..data')), directoryName);
  assert.match(directoryName, /^\.\.\d{4}(_\d\d){5}\.\d+$/);
  const timestamped = await lstat(join(root, directoryName));
  assert.ok(timestamped.isDirectory());
  assert.equal(timestamped.mode % 0o10000, 0o755);
  assert.deepEqual(await readTree(join(root, directoryName)), expectedTree(files));
  assert.deepEqual(await subject.listTimestampDirectories(), [directoryName]);
  const topLevel = new Set(Object.keys(files).map((path) => path.split('/')[0] ?? ''));
  const reserved = (await readdir(root)).filter((name) => name.startsWith('..') && name !== directoryName);
  const visible = (await readdir(root)).filter((name) => !name.startsWith('..'));
  assert.deepEqual(new Set(visible), topLevel);
  assert.ok(reserved.includes('..data') && !reserved.includes('..data_tmp'), `reserved names: ${reserved.join(', ')}`);
}
