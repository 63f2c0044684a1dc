/**
 * Keeps written space behind the last page of the data file. A flush of pages inside a file that keeps its size is a plain
 * write to the disk; one of pages that make it longer also commits the journal of the file system, which takes several
 * times as long, and LMDB lengthens its file page by page.
 */
import { fstatSync, writeSync } from 'node:fs';
import { newestMeta } from './data-file.ts';
import type { Environment } from './environment.ts';

/** Small, because nobody else can commit while a step is written. */
const STEP_BYTES = 256 * 1024;
const HEADROOM_BYTES_MIN = 1024 * 1024;
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const ZEROS = Buffer.alloc(STEP_BYTES);

/**
 * Lengthens the file by a step if less than a MiB is left, and tells whether it did. A full disk or quota is no failure: then the file
 * grows by itself, or not at all.
 *
 * Preconditions: not in a transaction; `fd` is the data file, open for writing.
 */
export function ensureHeadroom(environment: Environment, fd: number, path: string): boolean {
  if (headroomBytes(fd, path) >= HEADROOM_BYTES_MIN) return false;
  try {
    // In a transaction nobody else writes to the file, also not behind its present end.
    environment.transactionSync(() => writeSync(fd, ZEROS, 0, STEP_BYTES, fstatSync(fd).size));
    return true;
  } catch (error) {
    if (NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Whether a step at least is left. */
export function hasHeadroom(fd: number, path: string): boolean {
  return headroomBytes(fd, path) >= STEP_BYTES;
}

function headroomBytes(fd: number, path: string): number {
  const { lastPage, pageSizeBytes } = newestMeta(fd, path);
  return fstatSync(fd).size - (Number(lastPage) + 1) * pageSizeBytes;
}
