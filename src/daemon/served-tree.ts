/** What the daemon needs of the mounted tree, whichever transport serves it. */
import type { NegotiatedRecord } from '../fuse/init.ts';
import type { AllocsConnection } from './allocs/allocs-connection.ts';
import type { ConnectionName, ConnectionStatistics } from './fuse-messages.ts';
import type { FuseThread } from './fuse-thread-client.ts';

export interface ServedTree {
  /** Undefined if the tree ends with the daemon. */
  readonly holderPid: number | undefined;
  /** An earlier daemon's tree is taken over. */
  readonly held: unknown;
  /** What was agreed with the kernel, where that is known. */
  readonly records: ReadonlyMap<ConnectionName, NegotiatedRecord>;
  /** What is noticed later is added. */
  readonly warnings: string[];
  /** Of the takeover memory; undefined if the tree ends with the daemon. */
  readonly memoryDescriptor: number | undefined;
  /** The connection of alloc directories; undefined before the tree is up, and where there is none. */
  readonly allocs: AllocsConnection | undefined;
  /** Brings the tree up. `onEnded`: a connection that no thread of FuseThread serves is over. */
  serve(thread: FuseThread, onEnded: (name: ConnectionName, errno: number) => void): Promise<void>;
  /** Unmounts everything; what is busy is detached. */
  unmount(): Promise<void>;
  /** Gives up this process's part, when nothing is served any more. */
  leave(): void;
}

/** Of all connections, whoever serves them. */
export async function connectionStatistics(
  thread: Pick<FuseThread, 'statistics'>,
  tree: Pick<ServedTree, 'allocs'>,
): Promise<readonly ConnectionStatistics[]> {
  const served = await thread.statistics();
  return tree.allocs === undefined ? served : [...served, tree.allocs.statistics()];
}
