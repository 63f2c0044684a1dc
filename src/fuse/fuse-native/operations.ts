/**
 * A `FileSystem` in fuse-native's words. What would change the tree is the file system's to decide for the five operations
 * a swap is made of, and EROFS for all others; opening for writing is refused at once.
 *
 * Nothing is known of the caller: the kernel checks permissions by itself (`default_permissions`), and file systems get
 * the ids of the daemon.
 */
import { constants as fileConstants } from 'node:fs';
import { posix } from 'node:path';
import type { NodeId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { DunnageError, toErrno } from '../../errors/dunnage-error.ts';
import type { PathAttributes, PathOperations } from '../../native/fuse-native.ts';
import type { Awaitable, Caller, Entry, FileSystem } from '../../vfs/file-system.ts';
import type { Outstanding } from './outstanding.ts';
import type { PathEntry, PathTable } from './path-table.ts';
import { pathAttributes, pathStatus } from './path-values.ts';

/** Of `struct fuse_file_info` as fuse-native passes it on. */
const HANDLE_MAX = 0x7fff_ffff;
const O_ACCMODE = 3;

export interface PathServerOptions {
  readonly name: string;
  readonly fileSystem: FileSystem;
  readonly paths: PathTable;
  readonly outstanding: Outstanding;
  readonly caller: Caller;
  readonly log: Log;
}

interface Handle {
  readonly entry: PathEntry;
  /** The file system's own. */
  readonly inner: number;
}

export class PathServer {
  readonly #options: PathServerOptions;
  readonly #handles = new Map<number, Handle>();
  #lastHandle = 0;
  /** Exceptions that were not refusals of the file system: bugs. */
  exceptions = 0;

  constructor(options: PathServerOptions) {
    this.#options = options;
  }

  get openHandles(): number {
    return this.#handles.size;
  }

  operations(): PathOperations {
    const refuse =
      (operation: string) =>
      (...parameters: unknown[]): void => {
        const done = parameters.at(-1) as (errno: number) => void;
        this.#serve(operation, () => Promise.reject(readOnly()), done, done);
      };
    const serve = <T>(operation: string, done: (errno: number, value?: T) => void, act: () => Promise<T>): void =>
      this.#serve(operation, act, (value) => done(0, value), done);
    return {
      getattr: (path, done) => serve('GETATTR', done, () => this.#getAttributes(path)),
      statfs: (path, done) => serve('STATFS', done, () => this.#at(path, (node) => this.#status(node))),
      readlink: (path, done) => serve('READLINK', done, () => this.#at(path, (node) => this.#readLink(node))),
      readdir: (path, done) =>
        this.#serve(
          'READDIR',
          () => this.#list(path),
          ({ names, attributes }) => done(0, names, attributes),
          (errno) => done(errno),
        ),
      open: (path, flags, done) => serve('OPEN', done, () => this.#open(path, flags)),
      opendir: (path, _flags, done) => serve('OPENDIR', done, () => this.#openDirectory(path)),
      read: (_path, handle, buffer, sizeBytes, offset, done) =>
        this.#serve('READ', () => this.#read(handle, buffer, sizeBytes, offset), done, done),
      release: (_path, handle, done) => serve('RELEASE', done, () => this.#release(handle)),
      releasedir: (_path, handle, done) => serve('RELEASEDIR', done, () => this.#release(handle)),
      mkdir: (path, mode, done) => serve('MKDIR', done, () => this.#makeDirectory(path, mode)),
      symlink: (target, path, done) => serve('SYMLINK', done, () => this.#makeSymlink(target, path)),
      rename: (path, newPath, done) => serve('RENAME', done, () => this.#rename(path, newPath)),
      unlink: (path, done) => serve('UNLINK', done, () => this.#remove(path, 'unlink')),
      rmdir: (path, done) => serve('RMDIR', done, () => this.#remove(path, 'removeDirectory')),
      create: refuse('CREATE'),
      mknod: refuse('MKNOD'),
      link: refuse('LINK'),
      truncate: refuse('TRUNCATE'),
      chmod: refuse('CHMOD'),
      chown: refuse('CHOWN'),
      utimens: refuse('UTIMENS'),
      setxattr: refuse('SETXATTR'),
      removexattr: refuse('REMOVEXATTR'),
    };
  }

  #serve<T>(
    operation: string,
    act: () => Promise<T>,
    answer: (value: T) => void,
    refuse: (errno: number) => void,
  ): void {
    const end = this.#options.outstanding.begin(operation);
    act().then(
      (value) => {
        end();
        answer(value);
      },
      (error: unknown) => {
        end();
        this.#logFailure(operation, error);
        refuse(-toErrno(error));
      },
    );
  }

  #logFailure(operation: string, error: unknown): void {
    const { log, name } = this.#options;
    if (error instanceof DunnageError) {
      log.debug({ connection: name, operation, code: error.code, reason: error.message }, 'request is refused');
      return;
    }
    // The message may hold a name or a piece of content: only its class is logged above debug.
    this.exceptions += 1;
    const kind = error instanceof Error ? error.name : typeof error;
    log.error({ connection: name, operation, kind }, 'exception while serving a request');
    log.debug({ connection: name, operation, reason: String(error) }, 'exception while serving a request');
  }

  /** Acts on the node of a path; looks the path up once more if the node is gone. */
  async #at<T>(path: string, act: (nodeId: NodeId, entry: PathEntry) => Awaitable<T>): Promise<T> {
    const { paths } = this.#options;
    const entry = await paths.resolve(path);
    try {
      return await act(entry.nodeId, entry);
    } catch (error) {
      if (!(error instanceof DunnageError) || error.code !== 'STALE' || entry.detached) throw error;
      paths.remove(path);
      const anew = await paths.resolve(path);
      return await act(anew.nodeId, anew);
    }
  }

  #getAttributes(path: string): Promise<PathAttributes> {
    const { fileSystem, caller } = this.#options;
    return this.#at(path, async (nodeId) => {
      const { attributes } = await fileSystem.getAttributes(caller, nodeId, undefined);
      return pathAttributes(attributes);
    });
  }

  async #status(nodeId: NodeId): Promise<ReturnType<typeof pathStatus>> {
    return pathStatus(await this.#options.fileSystem.statFileSystem(this.#options.caller, nodeId));
  }

  #readLink(nodeId: NodeId): Awaitable<string> {
    const { fileSystem, caller } = this.#options;
    if (fileSystem.readLink === undefined) throw new DunnageError('INVALID_ARGUMENT', 'not a link');
    return fileSystem.readLink(caller, nodeId);
  }

  /** libfuse takes a whole listing at once; only type and inode number of the attributes count. */
  #list(path: string): Promise<{ readonly names: readonly string[]; readonly attributes: readonly PathAttributes[] }> {
    const { fileSystem, caller } = this.#options;
    return this.#at(path, async (nodeId, { parent }) => {
      const names = ['.', '..'];
      const attributes = [entryAttributes(nodeId), entryAttributes(parent?.nodeId ?? nodeId)];
      for (const entry of await fileSystem.readDirectory(caller, nodeId, 0, 0)) {
        names.push(entry.name);
        attributes.push(entryAttributes(entry.nodeId, entry.type));
      }
      return { names, attributes };
    });
  }

  #open(path: string, flags: number): Promise<number> {
    if ((flags & O_ACCMODE) !== fileConstants.O_RDONLY) return Promise.reject(readOnly());
    const { fileSystem, caller } = this.#options;
    return this.#at(path, async (nodeId, entry) => {
      const { paths } = this.#options;
      // Held before it is asked for: its lease must not end meanwhile.
      paths.hold(entry);
      try {
        const inner = fileSystem.open === undefined ? 0 : (await fileSystem.open(caller, nodeId, flags)).handle;
        return this.#keep({ entry, inner });
      } catch (error) {
        paths.letGo(entry);
        throw error;
      }
    });
  }

  #openDirectory(path: string): Promise<number> {
    return this.#at(path, async (nodeId, entry) => {
      // A node that is gone must not be held.
      await this.#options.fileSystem.getAttributes(this.#options.caller, nodeId, undefined);
      this.#options.paths.hold(entry);
      return this.#keep({ entry, inner: 0 });
    });
  }

  #keep(handle: Handle): number {
    do this.#lastHandle = this.#lastHandle === HANDLE_MAX ? 1 : this.#lastHandle + 1;
    while (this.#handles.has(this.#lastHandle));
    this.#handles.set(this.#lastHandle, handle);
    return this.#lastHandle;
  }

  async #read(number: number, buffer: Buffer, sizeBytes: number, offset: number): Promise<number> {
    const { fileSystem, caller } = this.#options;
    const handle = this.#handles.get(number);
    if (handle === undefined || fileSystem.read === undefined) throw new DunnageError('INTERNAL', 'no such handle');
    const bytes = await fileSystem.read(caller, handle.entry.nodeId, handle.inner, offset, sizeBytes);
    buffer.set(bytes.subarray(0, sizeBytes));
    return Math.min(bytes.length, sizeBytes);
  }

  async #release(number: number): Promise<void> {
    const { fileSystem, paths } = this.#options;
    const handle = this.#handles.get(number);
    if (handle === undefined) return;
    this.#handles.delete(number);
    try {
      if (handle.inner !== 0) await fileSystem.release?.(handle.entry.nodeId, handle.inner, false);
    } finally {
      paths.letGo(handle.entry);
    }
  }

  async #makeDirectory(path: string, mode: number): Promise<void> {
    const { fileSystem, caller, paths } = this.#options;
    const { makeDirectory } = fileSystem;
    if (makeDirectory === undefined) throw readOnly();
    const parent = await paths.resolve(posix.dirname(path));
    const made: Entry = await makeDirectory.call(fileSystem, caller, parent.nodeId, posix.basename(path), mode);
    await paths.adopt(path, made);
  }

  async #makeSymlink(target: string, path: string): Promise<void> {
    const { fileSystem, caller, paths } = this.#options;
    const { makeSymlink } = fileSystem;
    if (makeSymlink === undefined) throw readOnly();
    const parent = await paths.resolve(posix.dirname(path));
    const made: Entry = await makeSymlink.call(fileSystem, caller, parent.nodeId, posix.basename(path), target);
    await paths.adopt(path, made);
  }

  async #rename(path: string, newPath: string): Promise<void> {
    const { fileSystem, caller, paths } = this.#options;
    if (fileSystem.rename === undefined) throw readOnly();
    const from = await paths.resolve(posix.dirname(path));
    const to = await paths.resolve(posix.dirname(newPath));
    await fileSystem.rename(caller, from.nodeId, posix.basename(path), to.nodeId, posix.basename(newPath), 0);
    paths.rename(path, newPath);
  }

  async #remove(path: string, how: 'unlink' | 'removeDirectory'): Promise<void> {
    const { fileSystem, caller, paths } = this.#options;
    const remove = fileSystem[how];
    if (remove === undefined) throw readOnly();
    const parent = await paths.resolve(posix.dirname(path));
    await remove.call(fileSystem, caller, parent.nodeId, posix.basename(path));
    paths.remove(path);
  }
}

function readOnly(): DunnageError {
  return new DunnageError('READ_ONLY', 'the tree does not take writes from outside');
}

/** As much of the attributes as a listing shows. */
function entryAttributes(nodeId: NodeId, type: number = fileConstants.S_IFDIR): PathAttributes {
  const never = { seconds: 0, nanoseconds: 0 };
  return pathAttributes({ nodeId, mode: type, nlink: 1, uid: 0, gid: 0, sizeBytes: 0, blocks: 0, mtime: never });
}
