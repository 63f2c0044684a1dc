/**
 * File system calls that cannot leave a directory, whatever links somebody planted inside it (CVE-2017-1002102).
 *
 * Everything is reached from an open descriptor: openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS for what is
 * opened, and `/proc/self/fd/<parent>/<name>` for the calls that take a name (mkdir, symlink, rename, unlink, rmdir,
 * readlink), none of which follows its last component.
 */
import {
  close as closeCallback,
  fchmod as fchmodCallback,
  fchown as fchownCallback,
  constants as flags,
  fstat as fstatCallback,
  fsync as fsyncCallback,
  open as openCallback,
  type PathLike,
  read as readCallback,
  type Stats,
  writeFile as writeFileCallback,
} from 'node:fs';
import { promisify } from 'node:util';
import { loadNative } from '../native/load.ts';
import { O_PATH } from '../native/open-flags.ts';

export const close: (descriptor: number) => Promise<void> = promisify(closeCallback);
export const fchmod: (descriptor: number, mode: number) => Promise<void> = promisify(fchmodCallback);
export const fchown: (descriptor: number, uid: number, gid: number) => Promise<void> = promisify(fchownCallback);
export const fsync: (descriptor: number) => Promise<void> = promisify(fsyncCallback);
export const fstat: (descriptor: number) => Promise<Stats> = promisify(fstatCallback);
export const writeAll: (descriptor: number, data: Uint8Array) => Promise<void> = promisify(writeFileCallback);
export const open: (path: PathLike, openFlags: number) => Promise<number> = promisify(openCallback);
const read = promisify(readCallback);

const COMPARE_CHUNK_BYTES = 256 * 1024;

/** O_NONBLOCK: a planted FIFO must not hang the process. Regular files ignore it. */
export const OPEN_FILE: number = flags.O_RDONLY | flags.O_NONBLOCK | flags.O_NOFOLLOW | flags.O_NOCTTY;
export const OPEN_DIRECTORY: number = flags.O_RDONLY | flags.O_DIRECTORY | flags.O_NOFOLLOW;
/** Names a directory without needing any permission on it. */
export const NAME_DIRECTORY: number = O_PATH | flags.O_DIRECTORY | flags.O_NOFOLLOW;
export const CREATE_FILE: number = flags.O_WRONLY | flags.O_CREAT | flags.O_EXCL | flags.O_NOFOLLOW;

/** The path of a name in an open directory. `name` is ONE component. */
export function inDirectory(directory: number, name?: string): string {
  return name === undefined ? `/proc/self/fd/${directory}` : `/proc/self/fd/${directory}/${name}`;
}

/** Opens `path` (several components are fine) beneath the directory for as long as the task runs. */
export async function withBeneath<T>(
  directory: number,
  path: string,
  openFlags: number,
  task: (descriptor: number) => Promise<T>,
): Promise<T> {
  const createMode = 0o600;
  const descriptor = loadNative().openBeneath(directory, path, openFlags, createMode, false);
  try {
    return await task(descriptor);
  } finally {
    await close(descriptor);
  }
}

/** Compares a file's content with `data`, holding one small buffer. */
export async function hasContent(descriptor: number, data: Uint8Array): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(Math.min(COMPARE_CHUNK_BYTES, data.byteLength + 1));
  let offset = 0;
  for (;;) {
    const { bytesRead } = await read(descriptor, buffer, 0, buffer.byteLength, offset);
    if (bytesRead === 0) return offset === data.byteLength;
    const expected = data.subarray(offset, offset + bytesRead);
    if (buffer.compare(expected, 0, expected.byteLength, 0, bytesRead) !== 0) return false;
    offset += bytesRead;
  }
}

/** Symbolic errno of an error of Node or the addon. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Resolves to undefined if the task fails with one of these errnos. */
export async function unless<T>(errnos: readonly string[], task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task();
  } catch (error) {
    if (errnos.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
