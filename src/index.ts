/** The library's public face. */

export { AllocDir, type AllocDirOptions, type DestroyOptions, type MoveOptions } from './alloc/alloc-dir.ts';
export type { AllocDirFS, Cancellable } from './alloc/alloc-dir-fs.ts';
export { MountsInUse } from './alloc/alloc-mount-rows.ts';
export { removeLeftovers } from './alloc/alloc-removal.ts';
export type { AllocMounts, BackingDirectory } from './alloc/backing-directory.ts';
export type { ChrootMap } from './alloc/chroot-map.ts';
export type { Owner } from './alloc/directories.ts';
export type { AllocFilesOptions } from './alloc/files/alloc-access.ts';
export { AllocFiles, type ChangeEvent } from './alloc/files/alloc-files.ts';
export type { FileInfo } from './alloc/files/file-info.ts';
export type { FileEvent, FollowEvent, FollowOptions } from './alloc/files/follow-event.ts';
export type { LogOptions } from './alloc/files/follow-logs.ts';
export { type StreamFrame, streamFrames } from './alloc/files/stream-frames.ts';
export {
  AllocGRPCSocket,
  AllocHTTPSocket,
  LogDirName,
  SharedAllocContainerPath,
  SharedAllocDirs,
  SharedAllocName,
  SharedDataDir,
  TaskDirs,
  TaskLocal,
  TaskLocalContainerPath,
  TaskPrivate,
  TaskSecrets,
  TaskSecretsContainerPath,
  TmpDirName,
} from './alloc/layout.ts';
export { PlainDirectory, type PlainDirectoryOptions } from './alloc/plain-directory.ts';
export type { UnpackSummary } from './alloc/snapshot/messages.ts';
export { SnapshotErrorFilename, SnapshotErrorTime } from './alloc/snapshot/snapshot-names.ts';
export { streamAllocDir } from './alloc/snapshot/stream-alloc-dir.ts';
export { type Isolation, type TaskBuildOptions, TaskDir, type TaskDirOptions } from './alloc/task-dir.ts';
export { type TestAllocDir, type TestAllocDirOptions, testAllocDir } from './alloc/test-alloc-dir.ts';
export { resolveUser } from './alloc/users.ts';
export { type DaemonOptions, runDaemon } from './daemon/main.ts';
export { DunnageError } from './errors/dunnage-error.ts';
export { ERROR_TABLE, type ErrorCode } from './errors/table.ts';
export type { BindOptions, TmpfsOptions } from './mounts/agent-mounts.ts';
export type { MountHolder } from './mounts/mount-holders.ts';
export { loadNative } from './native/load.ts';
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
export type {
  PoolCheckReport,
  PoolDeviceSummary,
  PoolOperations,
  PoolStatusDoc,
  PoolSummary,
} from './server/pool-operations.ts';
export { type LoadedPoolConfig, loadConfig, type PoolConfig, parsePoolConfig } from './thinpool/config.ts';
export type { DeviceInfo, NewDevice } from './thinpool/device-info.ts';
export { createDeviceMapperPool, makePoolFiles, type NewPool } from './thinpool/device-mapper/create-pool.ts';
export { DeviceMapperDriver, type DeviceMapperDriverOptions } from './thinpool/device-mapper/device-mapper-driver.ts';
export { DEVICE_STATES, type DeviceState } from './thinpool/device-states.ts';
export type { DeactivateOptions, DeviceUsage, PoolDriver, PoolStatus } from './thinpool/driver.ts';
export { PoolDevice, type PoolDeviceOptions } from './thinpool/pool-device.ts';
export { PoolMetadata, type PoolMetadataOptions } from './thinpool/pool-metadata.ts';
export { ReflinkDriver, type ReflinkOptions } from './thinpool/reflink/reflink-driver.ts';
export { type Overcommit, PoolSpace, type PoolSpaceEvent, type SpaceReport } from './thinpool/space/pool-space.ts';
