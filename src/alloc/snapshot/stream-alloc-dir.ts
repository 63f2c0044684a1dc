/**
 * Unpacks the stream of another alloc's directory in an empty directory: the receiving side of a move between hosts. If it fails,
 * what was written stays, and the caller destroys it; `restoreAlloc` is the one that leaves nothing behind.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import type { UnpackSummary } from './messages.ts';
import { runOnArchive } from './run-on-archive.ts';

/**
 * `target`: absolute path of a directory; nothing is written outside of it. Owners are kept if this is root.
 * @throws DunnageError INVALID_ARGUMENT `archive contains object that escapes alloc dir`, `archive contains symlink that escapes alloc
 * dir`, and what else is wrong with the archive; CORRUPT if it was cut off, or ends with the error of the snapshot.
 */
export async function streamAllocDir(
  input: AsyncIterable<Uint8Array>,
  target: string,
  signal?: AbortSignal,
): Promise<UnpackSummary> {
  let directory: number;
  try {
    directory = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw fromSystemError(error, `cannot open ${target}`);
  }
  try {
    const job = { kind: 'unpack', directory, roots: undefined, owners: process.geteuid?.() === 0 } as const;
    return await runOnArchive(job, input, signal);
  } finally {
    closeSync(directory);
  }
}
