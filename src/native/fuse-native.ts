/**
 * Loads the npm package fuse-native, and types the part of it that is used. It is a face of libfuse 2.9: path-based, one
 * thread of libfuse per request, answered in the event loop of the MAIN thread of its process, whichever thread loaded it.
 * So what serves with it is a process of its own.
 */
import { createRequire } from 'node:module';
import { DunnageError } from '../errors/dunnage-error.ts';

/** `errno` is 0 or negative, as in C. */
export type Done = (errno: number) => void;
export type Answer<T> = (errno: number, value?: T) => void;

export interface PathAttributes {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blocks: number;
  readonly blksize: number;
  /** 32 bits. */
  readonly ino: number;
  /** Milliseconds since 1970. */
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** Each number has 32 bits. */
export interface PathFileSystemStatus {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly favail: number;
  readonly namemax: number;
}

/** The operations in fuse-native's words. libfuse answers ENOSYS to those that are not there. */
export interface PathOperations {
  getattr(path: string, done: Answer<PathAttributes>): void;
  statfs(path: string, done: Answer<PathFileSystemStatus>): void;
  readdir(
    path: string,
    done: (errno: number, names?: readonly string[], attributes?: readonly PathAttributes[]) => void,
  ): void;
  readlink(path: string, done: Answer<string>): void;
  open(path: string, flags: number, done: Answer<number>): void;
  opendir(path: string, flags: number, done: Answer<number>): void;
  /** `buffer` may be filled until `done` is called; what is answered is its first so many bytes. */
  read(
    path: string,
    handle: number,
    buffer: Buffer,
    sizeBytes: number,
    offset: number,
    done: (countOrErrno: number) => void,
  ): void;
  release(path: string, handle: number, done: Done): void;
  releasedir(path: string, handle: number, done: Done): void;
  mkdir(path: string, mode: number, done: Done): void;
  symlink(target: string, path: string, done: Done): void;
  rename(path: string, newPath: string, done: Done): void;
  unlink(path: string, done: Done): void;
  rmdir(path: string, done: Done): void;
  create(path: string, mode: number, done: Done): void;
  mknod(path: string, mode: number, device: number, done: Done): void;
  link(path: string, newPath: string, done: Done): void;
  truncate(path: string, sizeBytes: number, done: Done): void;
  chmod(path: string, mode: number, done: Done): void;
  chown(path: string, uid: number, gid: number, done: Done): void;
  utimens(path: string, atime: number, mtime: number, done: Done): void;
  setxattr(path: string, name: string, value: Buffer, position: number, flags: number, done: Done): void;
  removexattr(path: string, name: string, done: Done): void;
}

export interface FuseNativeOptions {
  readonly allowOther: boolean;
  readonly defaultPermissions: true;
  readonly kernelCache: true;
  /** Goes into libfuse's option list as it is: further options follow after a comma. */
  readonly fsname: string;
  readonly subtype: string;
  readonly entryTimeout: number;
  readonly attrTimeout: number;
  /** No answer of its own after some time: the commit of a swap may take long, and must not be answered twice. */
  readonly timeout: false;
}

export interface FuseNative {
  /** Calls back when INIT was answered, or with what failed; libfuse's own words go to standard error. */
  mount(done: (error?: Error | null) => void): void;
}

export type FuseNativeLibrary = new (
  mountPoint: string,
  operations: PathOperations,
  options: FuseNativeOptions,
) => FuseNative;

/** @throws DunnageError MISSING_DEPENDENCY saying what has to be installed. */
export function loadFuseNative(load: (name: string) => unknown = createRequire(import.meta.url)): FuseNativeLibrary {
  try {
    return load('fuse-native') as FuseNativeLibrary;
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? '';
    if (reason.includes('libfuse.so.2')) {
      throw new DunnageError('MISSING_DEPENDENCY', 'the transport fuse-native needs the library libfuse.so.2', {
        remedy: 'install it: apt-get install libfuse2 (its package is libfuse2t64 on newer releases)',
        cause,
      });
    }
    throw new DunnageError('MISSING_DEPENDENCY', `the package fuse-native cannot be loaded: ${reason}`, {
      remedy: 'install it for this machine: npm install, or npm rebuild fuse-native',
      cause,
    });
  }
}
