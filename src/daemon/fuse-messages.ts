/** What the main thread and the FUSE thread say to each other. Plain data: it crosses a MessagePort. */
import type { MessagePort } from 'node:worker_threads';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import type { LogFields } from '../base/log.ts';
import type { ErrorCode } from '../errors/table.ts';
import type { NegotiatedRecord } from '../fuse/init.ts';
import type { StagedGeneration } from '../projection/staged-generation.ts';

import type { AuditBatch } from './audit/audit-event.ts';

/** Served by the FUSE thread. */
export type ServedConnection = 'root' | 'projections' | 'audited';
/** `allocs` is served by native threads. */
export type ConnectionName = ServedConnection | 'allocs';

export interface FuseThreadData {
  readonly stateDir: string;
  /** Of the memory with the key, which travels by no message; undefined for a process of its own, which reads the file. */
  readonly sealingKeyDescriptor: number | undefined;
  readonly sealingKeyPath: string;
  /** Shared memory; undefined for a process of its own. */
  readonly commitChain: BigInt64Array | undefined;
  /** Of the takeover memory; undefined where there is no holder. */
  readonly memoryDescriptor: number | undefined;
  /** Brings staged generations, and is read only when a name of one may be asked for; undefined for a process of its own. */
  readonly staging: MessagePort | undefined;
  /** The tree was served by an earlier daemon. */
  readonly resumed: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly graceMs: number;
  /** Folder with the block devices of active thin devices. */
  readonly deviceFolder: string;
}

export interface ConnectionStatistics {
  readonly name: ConnectionName;
  readonly requests: number;
  readonly unanswered: number;
  readonly failedNotifications: number;
}

export type ToFuseThread =
  | {
      readonly type: 'serve';
      readonly name: ServedConnection;
      readonly device: number;
      readonly record: NegotiatedRecord | undefined;
      /** Memory of JOURNAL_BYTES bytes for what is unanswered. */
      readonly journal: number | undefined;
    }
  /** Mounts and serves through fuse-native. */
  | {
      readonly type: 'mount';
      readonly name: ServedConnection;
      readonly mountPoint: string;
      readonly allowOther: boolean;
    }
  /** The record of the connection is safe with the holder: the kernel may have its INIT reply. */
  | { readonly type: 'kept'; readonly name: ServedConnection }
  | { readonly type: 'resend' }
  /** The kernel may remember that the root has no such name: it shall look again. Answered by `shown`. */
  | { readonly type: 'show-name'; readonly name: string }
  /** What is left of that plan of the live view will not be carried out. */
  | { readonly type: 'live-given-up'; readonly projection: ProjectionId; readonly towards: GenerationId | 0 }
  /** For a process of its own: what the port brings to a thread. */
  | { readonly type: 'stage'; readonly generation: StagedGeneration }
  /** A staged generation shall not be published. */
  | { readonly type: 'abort'; readonly generation: GenerationId }
  | { readonly type: 'finish-abort'; readonly generation: GenerationId }
  /** Generations were dropped without a swap. */
  | { readonly type: 'dropped'; readonly generations: readonly GenerationId[] }
  /** The file of that content is another one now, or was found damaged: it must not be read through an old descriptor. */
  | { readonly type: 'forget-content'; readonly digest: Uint8Array }
  /** What the kernel has cached of these nodes must go: their content was found damaged. */
  | { readonly type: 'invalidate'; readonly nodes: readonly NodeId[] }
  /** So many audited opens have been written down. */
  | { readonly type: 'audited'; readonly count: number }
  | { readonly type: 'statistics' }
  | { readonly type: 'close' };

export type FromFuseThread =
  | { readonly type: 'ready' }
  | { readonly type: 'initialised'; readonly name: ServedConnection; readonly record: NegotiatedRecord }
  | { readonly type: 'mounted'; readonly name: ServedConnection }
  | {
      readonly type: 'refused';
      readonly name: ServedConnection;
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    }
  /** The kernel may still have a name that is gone: it forgets it when that is looked up through the mount. */
  | { readonly type: 'lapsed'; readonly parent: NodeId; readonly name: string }
  | { readonly type: 'ended'; readonly name: ServedConnection; readonly errno: number }
  | { readonly type: 'forgotten'; readonly generation: GenerationId }
  /** Answers `stage`. */
  | { readonly type: 'staged'; readonly generation: GenerationId }
  /** Answers `abort`; `done` is false if the generation was published before. */
  | { readonly type: 'aborted'; readonly generation: GenerationId; readonly done: boolean }
  | { readonly type: 'statistics'; readonly connections: readonly ConnectionStatistics[] }
  | { readonly type: 'opened'; readonly batch: AuditBatch }
  /** Answers `show-name`: the kernel has been told. */
  | { readonly type: 'shown'; readonly name: string }
  | { readonly type: 'closed' }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: LogFields;
      readonly message: string;
    };
