/** Gives the blocks that a file system on a thin device does not use any more back to the pool. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { freezerProgramPath } from '../../native/programs.ts';
import { deviceIdOf, mountPointOf } from '../device-mounts.ts';

/** Of dunnage-freezer. */
const CANNOT_TRIM = 3;
const TOLD_CHARACTERS_MAX = 500;

/**
 * Trims the file system that is mounted on a block device. Resolves to the bytes that are free in it, or undefined if none is mounted.
 * `path` is that of the device. Waits while the pool is frozen, but in another process: once the signal is aborted it does not keep this one
 * from its end.
 * @throws DunnageError NOT_FOUND, NOT_SUPPORTED, IO
 */
export async function trimDevice(path: string, signal?: AbortSignal): Promise<number | undefined> {
  try {
    const { rdev } = await stat(path, { bigint: true });
    const [major = 0, minor = 0] = deviceIdOf(rdev).split(':').map(Number);
    const mountPoint = await mountPointOf(major, minor);
    if (mountPoint === undefined) return undefined;
    const directory = await open(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY);
    return await trimMounted(directory, path, signal);
  } catch (error) {
    throw fromSystemError(error, `cannot trim the file system on ${path}`);
  }
}

async function trimMounted(directory: FileHandle, path: string, signal: AbortSignal | undefined): Promise<number> {
  const output = { stdout: '', stderr: '' };
  let child: ChildProcess;
  try {
    child = spawn(freezerProgramPath(), ['trim'], { stdio: [directory.fd, 'pipe', 'pipe'], env: {}, cwd: '/' });
    await once(child, 'spawn');
  } finally {
    await directory.close();
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-TOLD_CHARACTERS_MAX);
    });
  }
  const leave = (): void => {
    child.unref();
    for (const pipe of [child.stdout, child.stderr] as (Socket | null)[]) pipe?.unref();
  };
  signal?.addEventListener('abort', leave, { once: true });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  signal?.removeEventListener('abort', leave);
  if (exitCode === 0) return Number(output.stdout);
  throw new DunnageError(
    exitCode === CANNOT_TRIM ? 'NOT_SUPPORTED' : 'IO',
    `cannot trim the file system on ${path}: ${output.stderr.trim() || `dunnage-freezer ended with ${exitCode}`}`,
  );
}
