/**
 * Node ids of the live view on the root connection. `live` itself is `LIVE_NODE_ID`; the directory of a projection and all
 * that is in it have an id of the store's counter (that of a projection is its own) above it. Fixed directories of the root
 * connection and every generation id are below, so one table of references holds ids of both kinds.
 */
import type { NodeId, ProjectionId } from '../../base/ids.ts';

/** More than the counter ever reaches, and an eighth of what a number holds exactly. */
export const LIVE_NODE_ID: NodeId = (2 ** 48) as NodeId;

/** Number of a node in the store: 0 for `live`, the projection's id for its directory. */
export type LiveId = number;

export const isLiveNode = (node: NodeId): boolean => node >= LIVE_NODE_ID;
export const liveNodeId = (id: LiveId | ProjectionId): NodeId => (LIVE_NODE_ID + id) as NodeId;
export const liveIdOf = (node: NodeId): LiveId => node - LIVE_NODE_ID;
