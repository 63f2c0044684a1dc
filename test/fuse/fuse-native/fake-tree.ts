/** A file system of directories in memory that counts references, and a caller and a clock for it. */
import { constants } from 'node:fs';
import type { NodeId } from '../../../src/base/ids.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { Attributes, Caller, DirectoryEntry, Entry, FileSystem } from '../../../src/vfs/file-system.ts';

export const CALLER: Caller = { uid: 0, gid: 0, pid: 0, resent: false, signal: undefined };

export class FakeClock {
  ms = 1_000;
  readonly monotonicMs = (): number => this.ms;
}

/** Nodes are added with `make`; names can be taken away and given anew. */
export class FakeTree implements FileSystem {
  readonly references: Map<number, number> = new Map();
  readonly names: Map<string, NodeId> = new Map();
  readonly gone: Set<number> = new Set();
  lookups = 0;
  #last = 1;

  make(parent: number, name: string): NodeId {
    this.#last += 1;
    this.names.set(`${parent}/${name}`, this.#last as NodeId);
    return this.#last as NodeId;
  }

  lookup(_caller: Caller, parent: NodeId, name: string): Entry {
    this.lookups += 1;
    const nodeId = this.names.get(`${parent}/${name}`);
    if (nodeId === undefined) return { attributes: undefined, entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
    return this.entry(nodeId);
  }

  entry(nodeId: NodeId): Entry {
    this.references.set(nodeId, (this.references.get(nodeId) ?? 0) + 1);
    return { attributes: attributesOf(nodeId), entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
  }

  forget(nodeId: NodeId, count: number): void {
    const left = (this.references.get(nodeId) ?? 0) - count;
    if (left < 0) throw new Error(`node ${nodeId} is forgotten more often than it was looked up`);
    if (left === 0) this.references.delete(nodeId);
    else this.references.set(nodeId, left);
  }

  getAttributes(
    _caller: Caller,
    nodeId: NodeId,
  ): { readonly attributes: Attributes; readonly attributeTimeoutSeconds: number } {
    if (this.gone.has(nodeId)) throw new DunnageError('STALE', 'the node is gone');
    return { attributes: attributesOf(nodeId), attributeTimeoutSeconds: 0 };
  }

  readDirectory(_caller: Caller, nodeId: NodeId): DirectoryEntry[] {
    return [...this.names]
      .filter(([key]) => key.startsWith(`${nodeId}/`))
      .map(([key, child], index) => ({
        name: key.slice(`${nodeId}/`.length),
        nodeId: child,
        type: constants.S_IFDIR,
        cookie: index + 1,
      }));
  }

  statFileSystem(): ReturnType<FileSystem['statFileSystem']> {
    return {
      blockSizeBytes: 4096,
      blocks: 100,
      blocksFree: 50,
      blocksAvailable: 25,
      files: 5,
      filesFree: 3,
      nameBytesMax: 255,
    };
  }
}

function attributesOf(nodeId: NodeId): Attributes {
  return {
    nodeId,
    mode: constants.S_IFDIR | 0o755,
    nlink: 2,
    uid: 12,
    gid: 34,
    sizeBytes: 0,
    blocks: 0,
    mtime: { seconds: 1, nanoseconds: 2_999_999 },
  };
}
