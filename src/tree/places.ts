/** Names at the top of the mount, and the paths below it. */
import { join } from 'node:path';

/** Directories of the root connection; other connections are mounted on them. */
// Their places here are their node ids: a new one comes last.
export const TOP_LEVEL_DIRECTORIES: readonly string[] = ['projections', '.audited', 'allocs'];

/** Those that only their owner may look into: each directory of them is mounted elsewhere, for everybody. */
export const PRIVATE_DIRECTORIES: ReadonlySet<string> = new Set(['.audited']);

/** Directory of the root connection with the live view. */
export const LIVE_DIRECTORY = 'live';

/** Directory of the root connection with a link for each active thin device. */
export const DEVICES_DIRECTORY = 'devices';

/** Folder of the runtime directory with the block devices of active thin devices. */
export function deviceFolder(runtimeDir: string): string {
  return join(runtimeDir, 'dev');
}

export function projectionsPath(mountPoint: string): string {
  return join(mountPoint, 'projections');
}

/** Where the connection of audited projections is mounted. */
export function auditedPath(mountPoint: string): string {
  return join(mountPoint, '.audited');
}

/** Where the connection of alloc directories is mounted. */
export function allocsPath(mountPoint: string): string {
  return join(mountPoint, 'allocs');
}

export function projectionPath(mountPoint: string, directory: string): string {
  return join(projectionsPath(mountPoint), directory);
}

/** Where active thin devices are shown. */
export function devicesPath(mountPoint: string): string {
  return join(mountPoint, DEVICES_DIRECTORY);
}

/** The same projection as plain files. */
export function livePath(mountPoint: string, directory: string): string {
  return join(mountPoint, LIVE_DIRECTORY, directory);
}
