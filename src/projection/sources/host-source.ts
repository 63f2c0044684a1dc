/** Sources on the host: one file, or a directory with everything below it. */

import { isAbsolute, relative } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { limits } from '../../base/limits.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { readMountTable } from '../../mounts/mount-table.ts';
import { errnoOf } from '../beneath.ts';
import { close, NAME_ONLY, open, ReadBudget, readHostFile, status, Unsettled } from './host-file.ts';
import { OPEN_ROOT, ownMount, readHostTree, type TreeOptions } from './host-tree.ts';
import { type SourceContent, type SourceFile, selectFiles } from './source-content.ts';
import type { DirectorySource, FileSource } from './source-spec.ts';

export interface HostSourceOptions {
  readonly clock: Clock;
  /** Where our own tree is mounted: it is never read. */
  readonly mountPoint: string;
  /** Ends the waiting for files that are being written. */
  readonly signal: AbortSignal;
}

const NOTHING: SourceContent = { files: new Map(), warnings: [] };

/**
 * Reads the source when nobody is writing to it, or when that does not end: as it is then, each file whole.
 * @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY, IS_A_DIRECTORY, PERMISSION_DENIED, INVALID_ARGUMENT, TOO_LARGE, BUSY, IO.
 */
export async function readHostSource(
  source: FileSource | DirectorySource,
  options: HostSourceOptions,
): Promise<SourceContent> {
  if (isInside(source.path, options.mountPoint)) throw ownMount(source.path);
  const ownDevices = await devicesOf(options.mountPoint);
  try {
    return await settled(options, (ignoreWriters) => {
      const tree = { budget: new ReadBudget(), ignoreWriters, ownDevices };
      return source.kind === 'file' ? readFile(source, tree) : readDirectory(source, tree);
    });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      if (source.optional === true) return NOTHING;
      throw new DunnageError('NOT_FOUND', `${source.path} does not exist`, {
        remedy: 'create it, or mark the source optional',
        cause: error,
      });
    }
    throw fromSystemError(error, `cannot read ${source.path}`);
  }
}

async function settled<T>(options: HostSourceOptions, task: (ignoreWriters: boolean) => Promise<T>): Promise<T> {
  const { clock, signal } = options;
  const endMs = clock.monotonicMs() + limits.sourceSettleMsMax;
  for (;;) {
    const isLate = clock.monotonicMs() >= endMs;
    try {
      return await task(isLate);
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error;
      if (isLate) {
        throw new DunnageError('BUSY', `it does not come to rest: ${error.message}`, {
          remedy: 'write the file under another name and rename it',
        });
      }
    }
    await sleep(limits.sourceQuietMs, undefined, { signal });
  }
}

async function readFile(source: FileSource, tree: TreeOptions): Promise<SourceContent> {
  const descriptor = await open(source.path, NAME_ONLY);
  try {
    const found = await status(descriptor);
    if (tree.ownDevices.has(found.dev)) throw ownMount(source.path);
    if (found.isDirectory()) {
      throw new DunnageError('IS_A_DIRECTORY', `${source.path} is a directory`, { remedy: 'use a directory source' });
    }
    if (!found.isFile()) {
      throw new DunnageError('INVALID_ARGUMENT', `${source.path} is no regular file`, { remedy: 'name a file' });
    }
    const { data, mode } = await readHostFile(descriptor, source.path, tree);
    const file: SourceFile = { content: data, ownMode: mode };
    return { files: selectFiles(new Map([[source.as, file]]), source), warnings: [] };
  } finally {
    await close(descriptor);
  }
}

async function readDirectory(source: DirectorySource, tree: TreeOptions): Promise<SourceContent> {
  const root = await open(source.path, OPEN_ROOT);
  try {
    const { files, warnings } = await readHostTree(root, tree);
    await verifyRoot(root, source.path);
    const available = new Map<string, SourceFile>();
    for (const [path, { data, mode }] of files) available.set(path, { content: data, ownMode: mode });
    return { files: selectFiles(available, source), warnings };
  } finally {
    await close(root);
  }
}

/** The path may lead through a link that was swapped meanwhile, and what it named before may be half removed. */
async function verifyRoot(root: number, path: string): Promise<void> {
  const before = await status(root);
  const again = await open(path, OPEN_ROOT);
  try {
    const { dev, ino } = await status(again);
    if (dev !== before.dev || ino !== before.ino) throw new Unsettled(`${path} names another directory now`);
  } finally {
    await close(again);
  }
}

export function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!way.startsWith('../') && way !== '..' && !isAbsolute(way));
}

/** `dev` of what is mounted at the mount point and below it for the tree. */
async function devicesOf(mountPoint: string): Promise<ReadonlySet<bigint>> {
  const rows = await readMountTable();
  const own = rows.filter((row) => row.type === 'fuse.dunnage' && isInside(row.mountPoint, mountPoint));
  return new Set(own.map((row) => deviceNumber(row.deviceId)));
}

/** `major:minor` as stat(2) encodes it. */
function deviceNumber(deviceId: string): bigint {
  const [major = 0n, minor = 0n] = deviceId.split(':').map(BigInt);
  return (minor & 0xffn) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n);
}
