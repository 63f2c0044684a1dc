/**
 * The file system of the root connection: a fixed set of empty directories, on which the other connections are mounted.
 * Their names are never invalidated: that would detach what is mounted there.
 */
import { constants } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { type NodeId, ROOT_NODE_ID } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type {
  Attributes,
  AttributesReply,
  Caller,
  DirectoryEntry,
  Entry,
  FileSystem,
  FileSystemStatus,
  Timestamp,
} from '../vfs/file-system.ts';
import { FOREVER_SECONDS } from '../vfs/file-system.ts';
import { PRIVATE_DIRECTORIES, TOP_LEVEL_DIRECTORIES } from './places.ts';

const FIRST_DIRECTORY = ROOT_NODE_ID + 1;

export interface RootTreeOptions {
  readonly clock: Clock;
  readonly uid: number;
  readonly gid: number;
}

export class RootTree implements FileSystem {
  readonly #options: RootTreeOptions;
  readonly #mtime: Timestamp;

  constructor(options: RootTreeOptions) {
    this.#options = options;
    this.#mtime = { seconds: Math.floor(options.clock.nowMs() / 1000), nanoseconds: 0 };
  }

  lookup(_caller: Caller, parent: NodeId, name: string): Entry {
    const position = parent === ROOT_NODE_ID ? TOP_LEVEL_DIRECTORIES.indexOf(name) : -1;
    return {
      attributes: position < 0 ? undefined : this.#attributes((FIRST_DIRECTORY + position) as NodeId),
      entryTimeoutSeconds: FOREVER_SECONDS,
      attributeTimeoutSeconds: FOREVER_SECONDS,
    };
  }

  /** Nothing is kept per node. */
  forget(): void {}

  getAttributes(_caller: Caller, nodeId: NodeId): AttributesReply {
    return { attributes: this.#attributes(nodeId), attributeTimeoutSeconds: FOREVER_SECONDS };
  }

  *readDirectory(_caller: Caller, nodeId: NodeId, _handle: number, after: number): IterableIterator<DirectoryEntry> {
    if (nodeId !== ROOT_NODE_ID) return;
    for (const [position, name] of TOP_LEVEL_DIRECTORIES.entries()) {
      const cookie = position + 1;
      const child = (FIRST_DIRECTORY + position) as NodeId;
      if (cookie > after) yield { name, nodeId: child, type: constants.S_IFDIR, cookie };
    }
  }

  statFileSystem(): FileSystemStatus {
    const files = TOP_LEVEL_DIRECTORIES.length;
    return {
      blockSizeBytes: 4096,
      // df hides a mount of no blocks.
      blocks: 1,
      blocksFree: 0,
      blocksAvailable: 0,
      files,
      filesFree: 0,
      nameBytesMax: limits.nameBytesMax,
    };
  }

  #attributes(nodeId: NodeId): Attributes {
    const isRoot = nodeId === ROOT_NODE_ID;
    if (!isRoot && (nodeId < FIRST_DIRECTORY || nodeId >= FIRST_DIRECTORY + TOP_LEVEL_DIRECTORIES.length)) {
      throw new DunnageError('STALE', `node ${nodeId} is gone`);
    }
    const isPrivate = PRIVATE_DIRECTORIES.has(TOP_LEVEL_DIRECTORIES[nodeId - FIRST_DIRECTORY] ?? '');
    return {
      nodeId,
      mode: constants.S_IFDIR | (isPrivate ? 0o700 : 0o755),
      nlink: 2 + (isRoot ? TOP_LEVEL_DIRECTORIES.length : 0),
      uid: this.#options.uid,
      gid: this.#options.gid,
      sizeBytes: 4096,
      blocks: 0,
      mtime: this.#mtime,
    };
  }
}
