/** What stat(2) and statfs(2) show for the nodes of the projections tree. */
import { constants } from 'node:fs';
import type { NodeId } from '../base/ids.ts';
import { ROOT_NODE_ID } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Attributes, FileSystemStatus, Timestamp } from '../vfs/file-system.ts';
import { DATA_LINK_INDEX, DIRECTORY_INDEX } from './generation-nodes.ts';
import type { LoadedGeneration } from './projection-nodes.ts';
import type { GenerationRecord, ProjectionRecord } from './records.ts';

const DIRECTORY_MODE = constants.S_IFDIR | 0o755;
const LINK_MODE = constants.S_IFLNK | 0o777;
const DIRECTORY_SIZE_BYTES = 4096;
const BLOCK_SIZE_BYTES = 4096;

/** Who owns what has no owner of its own: the daemon. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export function timestamp(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanoseconds: Math.round((timeMs - seconds * 1000) * 1_000_000) };
}

export function directoryAttributes(
  nodeId: NodeId,
  subdirectories: number,
  changedAtMs: number,
  owner: Owner,
): Attributes {
  return {
    nodeId,
    mode: DIRECTORY_MODE,
    nlink: 2 + subdirectories,
    uid: owner.uid,
    gid: owner.gid,
    sizeBytes: DIRECTORY_SIZE_BYTES,
    blocks: 0,
    mtime: timestamp(changedAtMs),
  };
}

export function linkAttributes(nodeId: NodeId, target: string, changedAtMs: number, owner: Owner): Attributes {
  return {
    nodeId,
    mode: LINK_MODE,
    nlink: 1,
    uid: owner.uid,
    gid: owner.gid,
    sizeBytes: Buffer.byteLength(target),
    blocks: 0,
    mtime: timestamp(changedAtMs),
  };
}

export function rootAttributes(projections: number, startedAtMs: number, owner: Owner): Attributes {
  return directoryAttributes(ROOT_NODE_ID, projections, startedAtMs, owner);
}

export function projectionAttributes(
  nodeId: NodeId,
  record: ProjectionRecord,
  generations: number,
  owner: Owner,
): Attributes {
  return directoryAttributes(nodeId, generations, record.updatedAtMs, owner);
}

/** Attributes of the node with that index of a generation. */
export function generationAttributes(generation: LoadedGeneration, index: number, owner: Owner): Attributes {
  const { record } = generation;
  const nodeId = (generation.id + index) as NodeId;
  if (index === DATA_LINK_INDEX) return linkAttributes(nodeId, record.directory, record.createdAtMs, owner);
  // While it is being published nobody has to read its list of files.
  if (index === DIRECTORY_INDEX) return directoryAttributes(nodeId, record.directories, record.createdAtMs, owner);
  const { nodes } = generation;
  const node = nodes.node(index);
  if (node === undefined || node.kind === 'directory') {
    return directoryAttributes(nodeId, nodes.directoryCount(index), record.createdAtMs, owner);
  }
  return {
    nodeId,
    mode: constants.S_IFREG | node.mode,
    nlink: 1,
    uid: node.uid ?? owner.uid,
    gid: node.gid ?? owner.gid,
    sizeBytes: node.sizeBytes,
    blocks: Math.ceil(node.sizeBytes / 512),
    mtime: timestamp(record.createdAtMs),
  };
}

function status(sizeBytes: number, files: number): FileSystemStatus {
  return {
    blockSizeBytes: BLOCK_SIZE_BYTES,
    // df hides a mount of no blocks.
    blocks: Math.max(1, Math.ceil(sizeBytes / BLOCK_SIZE_BYTES)),
    blocksFree: 0,
    blocksAvailable: 0,
    files,
    filesFree: 0,
    nameBytesMax: limits.nameBytesMax,
  };
}

/** A projection is as large as what it shows, and full: nobody can add to it. */
export function projectionStatus(record: GenerationRecord | undefined): FileSystemStatus {
  return status(record?.sizeBytes ?? 0, record?.files ?? 0);
}

/** The root shows the space the store takes. */
export function rootStatus(storeSizeBytes: number, projections: number): FileSystemStatus {
  return status(storeSizeBytes, projections);
}
