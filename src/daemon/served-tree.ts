/** What the daemon needs of the mounted tree, whichever transport serves it. */
import type { NegotiatedRecord } from '../fuse/init.ts';
import type { ConnectionName } from './fuse-messages.ts';
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
  /** Brings the tree up. */
  serve(thread: FuseThread): Promise<void>;
  /** Unmounts everything; what is busy is detached. */
  unmount(): Promise<void>;
  /** Gives up this process's part, when nothing is served any more. */
  leave(): void;
}
