/**
 * The file system of the audited connection: the projections whose opens are logged, and nothing else. It differs from the
 * one of the projections connection in one thing: it has `open`, so the kernel asks at every open(2). Content is kept in the
 * page cache all the same.
 *
 * Its root is nobody's way in: each directory is bind-mounted onto its empty namesake below projections/.
 */
import { constants } from 'node:fs';
import { type NodeId, ROOT_NODE_ID } from '../base/ids.ts';
import { FOPEN } from '../fuse/abi.ts';
import type { AttributesReply, Caller, FileSystemStatus, OpenReply } from '../vfs/file-system.ts';
import type { Catalog } from './catalog.ts';
import type { LiveOpen } from './live/live-tree.ts';
import { readOnly } from './projection-swaps.ts';
import { type DescribedFile, ProjectionTree, type ProjectionTreeOptions } from './projection-tree.ts';

const ACCESS_MODE = constants.O_WRONLY | constants.O_RDWR;
const OPEN_FLAGS = FOPEN.KEEP_CACHE | FOPEN.NOFLUSH;
const PRIVATE_MODE = constants.S_IFDIR | 0o700;

export interface AuditedTreeOptions extends Omit<ProjectionTreeOptions, 'audited'> {
  /** Called before the open is answered: the caller waits. Must not throw. */
  readonly onOpened: (caller: Caller, file: DescribedFile) => void;
}

export class AuditedTree extends ProjectionTree {
  readonly #onOpened: AuditedTreeOptions['onOpened'];

  constructor(options: AuditedTreeOptions) {
    super({ ...options, audited: true });
    this.#onOpened = options.onOpened;
  }

  open(caller: Caller, nodeId: NodeId, flags: number): OpenReply {
    const file = this.describeFile(nodeId);
    if ((flags & ACCESS_MODE) !== 0) throw readOnly();
    this.#onOpened(caller, file);
    return { handle: 0, flags: OPEN_FLAGS };
  }

  override getAttributes(caller: Caller, nodeId: NodeId): AttributesReply {
    const reply = super.getAttributes(caller, nodeId);
    if (nodeId !== ROOT_NODE_ID) return reply;
    return { ...reply, attributes: { ...reply.attributes, mode: PRIVATE_MODE } };
  }

  /** df leaves out what has no blocks: the root is for the daemon only. */
  override statFileSystem(caller: Caller, nodeId: NodeId): FileSystemStatus {
    const status = super.statFileSystem(caller, nodeId);
    return nodeId === ROOT_NODE_ID ? { ...status, blocks: 0, files: 0 } : status;
  }
}

/** What was opened through the live view, if it is audited. */
export function auditedLiveFile(
  catalog: Pick<Catalog, 'generation' | 'projection'>,
  { projection, generation, path }: LiveOpen,
): DescribedFile | undefined {
  const record = catalog.generation(generation);
  if (record?.audited !== true) return undefined;
  return { view: 'live', projection: catalog.projection(projection)?.directory, path, generation: record.number };
}
