/** The library's public face. */

export { type DaemonOptions, runDaemon } from './daemon/main.ts';
export { DunnageError } from './errors/dunnage-error.ts';
export { ERROR_TABLE, type ErrorCode } from './errors/table.ts';
export { AtomicWriter, type AtomicWriterOptions, type WriteResult } from './projection/atomic-writer.ts';
export { validatePayload } from './projection/path-rules.ts';
export type { FileAttributes, FileProjection, Payload } from './projection/payload.ts';
export type { SetPermissions } from './projection/swap-target.ts';
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
