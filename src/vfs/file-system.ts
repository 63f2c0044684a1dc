/**
 * The one interface between a transport and what is served: inode-based, in the words of the kernel, with no wire and no disk.
 *
 * A file system answers by returning (or resolving to) a value and refuses by throwing a `DunnageError`. An operation
 * it does not define is answered by the transport: ENOSYS for what the kernel then stops asking (open, opendir, flush,
 * getxattr ...), EROFS for everything that would change the tree.
 *
 * Names are UTF-8 strings. Node ids and handles are numbers below 2^53.
 */
import type { NodeId } from '../base/ids.ts';

export type Awaitable<T> = T | Promise<T>;

/** Who asks. `resent` is true if the kernel repeats a request that an earlier daemon may already have carried out. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly resent: boolean;
  /** Aborted if the kernel interrupts the request. */
  readonly signal: AbortSignal | undefined;
}

export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) shows. `mode` includes the type bits (S_IFDIR, S_IFREG, S_IFLNK). st_ino is the node id. */
export interface Attributes {
  readonly nodeId: NodeId;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Space taken on disk in 512-byte units (st_blocks). */
  readonly blocks: number;
  readonly mtime: Timestamp;
}

/** For how long the kernel may keep an answer without asking again. */
export const FOREVER_SECONDS: number = 31_536_000 * 100;

export interface AttributesReply {
  readonly attributes: Attributes;
  readonly attributeTimeoutSeconds: number;
}

/** Answer of lookup, mkdir, symlink. `attributes: undefined` is a negative entry the kernel may cache for `entryTimeoutSeconds`. */
export interface Entry {
  readonly attributes: Attributes | undefined;
  readonly entryTimeoutSeconds: number;
  readonly attributeTimeoutSeconds: number;
}

/** One name of a directory listing. `cookie` is the position AFTER this name: pass it back to go on from there. */
export interface DirectoryEntry {
  readonly name: string;
  readonly nodeId: NodeId;
  /** S_IF* bits only. */
  readonly type: number;
  readonly cookie: number;
}

/** What statfs(2) shows for the object a node belongs to. */
export interface FileSystemStatus {
  readonly blockSizeBytes: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameBytesMax: number;
}

export interface OpenReply {
  readonly handle: number;
  /** FOPEN_* bits. */
  readonly flags: number;
}

export interface SetAttributesRequest {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly handle?: number;
}

export interface FileSystem {
  lookup(caller: Caller, parent: NodeId, name: string): Awaitable<Entry>;
  /** The kernel drops `count` of the references that lookup-like answers gave it. Never fails. */
  forget(nodeId: NodeId, count: number): void;
  getAttributes(caller: Caller, nodeId: NodeId, handle: number | undefined): Awaitable<AttributesReply>;
  /** Names with a cookie greater than `cookie` (0 = start), in a stable order, lazily: the transport stops when its buffer is full. */
  readDirectory(caller: Caller, nodeId: NodeId, handle: number, cookie: number): Awaitable<Iterable<DirectoryEntry>>;
  statFileSystem(caller: Caller, nodeId: NodeId): Awaitable<FileSystemStatus>;

  readLink?(caller: Caller, nodeId: NodeId): Awaitable<string>;
  open?(caller: Caller, nodeId: NodeId, flags: number): Awaitable<OpenReply>;
  /** `resent`: an earlier daemon may have released it already. */
  release?(nodeId: NodeId, handle: number, resent: boolean): Awaitable<void>;
  /** At most `sizeBytes` bytes from `offset`; fewer only at the end of the file. The returned bytes may be reused after the next call. */
  read?(caller: Caller, nodeId: NodeId, handle: number, offset: number, sizeBytes: number): Awaitable<Uint8Array>;
  /** `data` is valid only until the first await. Returns bytes taken. */
  write?(caller: Caller, nodeId: NodeId, handle: number, offset: number, data: Uint8Array): Awaitable<number>;
  setAttributes?(caller: Caller, nodeId: NodeId, request: SetAttributesRequest): Awaitable<AttributesReply>;
  makeDirectory?(caller: Caller, parent: NodeId, name: string, mode: number): Awaitable<Entry>;
  /** A regular file. */
  makeFile?(caller: Caller, parent: NodeId, name: string, mode: number): Awaitable<Entry>;
  makeSymlink?(caller: Caller, parent: NodeId, name: string, target: string): Awaitable<Entry>;
  unlink?(caller: Caller, parent: NodeId, name: string): Awaitable<void>;
  removeDirectory?(caller: Caller, parent: NodeId, name: string): Awaitable<void>;
  /** `onDecided` is called at most once, when success is certain but more is to be done: whoever asked is answered then. */
  rename?(
    caller: Caller,
    parent: NodeId,
    name: string,
    newParent: NodeId,
    newName: string,
    flags: number,
    onDecided?: () => void,
  ): Awaitable<void>;
  /** Undefined if the node has no attribute of that name. */
  getExtendedAttribute?(caller: Caller, nodeId: NodeId, name: string): Awaitable<Uint8Array | undefined>;
  listExtendedAttributes?(caller: Caller, nodeId: NodeId): Awaitable<readonly string[]>;
  access?(caller: Caller, nodeId: NodeId, mask: number): Awaitable<void>;
}
