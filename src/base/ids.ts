/**
 * Branded numbers and strings, so that one kind of id is never passed for another.
 *
 * Ids that cross the FUSE wire are u64 there; every id this program hands out stays below 2^53, so a plain number
 * holds it exactly.
 */
declare const brand: unique symbol;
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** FUSE node id: names an inode to the kernel for as long as the kernel remembers it. 1 is the root of a connection. */
export type NodeId = Branded<number, 'NodeId'>;
/** Identifies one generation of a projection; equal to the node id of its timestamped directory. */
export type GenerationId = Branded<number, 'GenerationId'>;
/** Identifies a projection for its whole life; equal to the node id of its directory. Names may be reused, ids never. */
export type ProjectionId = Branded<number, 'ProjectionId'>;

export const ROOT_NODE_ID: NodeId = 1 as NodeId;
