/**
 * Which nodes of the live view the kernel knows: only those can somebody be watching, have mounted or have open. The counts
 * are in the table of lookups that the holder keeps; what it says after a takeover is at most too much. By projection,
 * so that a swap nobody looked at costs one lookup in a map.
 */
import type { NodeId, ProjectionId } from '../../base/ids.ts';
import type { LookupTable } from '../lookup-table.ts';
import { isLiveNode, LIVE_NODE_ID, type LiveId, liveIdOf, liveNodeId } from './live-ids.ts';
import type { LiveNodes } from './live-nodes.ts';

const NONE: ReadonlySet<LiveId> = new Set();

export class LiveReferences {
  readonly #lookups: LookupTable;
  readonly #nodes: LiveNodes;
  readonly #known = new Map<ProjectionId, Set<LiveId>>();

  constructor(lookups: LookupTable, nodes: LiveNodes) {
    this.#lookups = lookups;
    this.#nodes = nodes;
    for (const id of lookups.ids()) if (isLiveNode(id as NodeId)) this.#note(id as NodeId);
  }

  #projectionOf(id: LiveId): ProjectionId {
    return this.#nodes.node(id)?.projection ?? (id as ProjectionId);
  }

  #note(node: NodeId): void {
    if (node === LIVE_NODE_ID) return;
    const id = liveIdOf(node);
    const projection = this.#projectionOf(id);
    const known = this.#known.get(projection);
    if (known === undefined) this.#known.set(projection, new Set([id]));
    else known.add(id);
  }

  /** Throws NO_SPACE if the table is full. */
  add(node: NodeId): void {
    const isNew = this.#lookups.count(node) === 0;
    this.#lookups.add(node);
    if (isNew) this.#note(node);
  }

  /** True if the kernel knows the node no more. */
  subtract(node: NodeId, count: number): boolean {
    if (this.#lookups.count(node) === 0 || this.#lookups.subtract(node, count) > 0) return false;
    const id = liveIdOf(node);
    const projection = this.#projectionOf(id);
    const known = this.#known.get(projection);
    known?.delete(id);
    if (known?.size === 0) this.#known.delete(projection);
    return true;
  }

  isKnown(id: LiveId): boolean {
    return this.#lookups.count(liveNodeId(id)) > 0;
  }

  /** The nodes of a projection that the kernel knows, its own directory among them. */
  knownOf(projection: ProjectionId): ReadonlySet<LiveId> {
    return this.#known.get(projection) ?? NONE;
  }
}
