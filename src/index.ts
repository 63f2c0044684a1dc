/** The library's public face. */

export type { AllocFilesOptions } from './alloc/files/alloc-access.ts';
export { AllocFiles, type ChangeEvent } from './alloc/files/alloc-files.ts';
export type { FileInfo } from './alloc/files/file-info.ts';
export type { FileEvent, FollowEvent, FollowOptions } from './alloc/files/follow-event.ts';
export type { LogOptions } from './alloc/files/follow-logs.ts';
export { type StreamFrame, streamFrames } from './alloc/files/stream-frames.ts';
export { type DaemonOptions, runDaemon } from './daemon/main.ts';
export { DunnageError } from './errors/dunnage-error.ts';
export { ERROR_TABLE, type ErrorCode } from './errors/table.ts';
export { AtomicWriter, type AtomicWriterOptions, type WriteResult } from './projection/atomic-writer.ts';
export { validatePayload } from './projection/path-rules.ts';
export type { FileAttributes, FileProjection, Payload } from './projection/payload.ts';
export type { SetPermissions } from './projection/swap-target.ts';
export { AllocFilesClient, type StreamRequest } from './server/alloc-files-client.ts';
export { ControlClient } from './server/control-client.ts';
export { MountedProjection } from './server/mounted-projection.ts';
export type {
  ApplyResult,
  DaemonStatus,
  IncomingFile,
  OutgoingFile,
  ProjectionDetail,
  ProjectionKind,
  ProjectionSummary,
  SizedFile,
} from './server/operations.ts';
