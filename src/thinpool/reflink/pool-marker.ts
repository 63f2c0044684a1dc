/** Two small files of a pool: which pool it is, and the number of its last change. Each is written durably, whole or not at all. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';
import { syncDirectory } from './pool-place.ts';

const MARKER = 'dunnage-pool.json';
const TRANSACTION = 'transaction';
const FORMAT = 1;
/** At the top of a pool. The marker goes last: whoever is interrupted finds a pool, and goes on. */
export const POOL_FILES: readonly string[] = [`${TRANSACTION}.new`, TRANSACTION, `${MARKER}.new`, MARKER];
const NEWER = 'use the version of dunnage that made the pool: it is newer than this one';

export interface PoolMarker {
  readonly format: typeof FORMAT;
  readonly name: string;
  /** What the empty file system had in use for itself. */
  readonly overheadBytes: number;
  /** How large it was then. */
  readonly totalBytes?: number;
}

export async function writeMarker(
  root: string,
  name: string,
  overheadBytes: number,
  totalBytes: number,
): Promise<void> {
  const marker: PoolMarker = { format: FORMAT, name, overheadBytes, totalBytes };
  await writeDurably(root, MARKER, `${JSON.stringify(marker)}\n`);
}

/** Undefined where no pool was ever made. @throws DunnageError CORRUPT */
export async function readMarker(root: string): Promise<PoolMarker | undefined> {
  const text = await readText(root, MARKER);
  if (text === undefined) return undefined;
  let isNewer = false;
  try {
    const marker = JSON.parse(text) as PoolMarker;
    isNewer = Number(marker.format) > FORMAT;
    if (marker.format === FORMAT && typeof marker.name === 'string' && Number.isFinite(marker.overheadBytes))
      return marker;
  } catch {
    // Told below, as whatever else is in it.
  }
  throw new DunnageError('CORRUPT', `${join(root, MARKER)} is not what a pool of this version has`, {
    remedy: isNewer ? NEWER : 'repair the pool: dunnage pool repair',
  });
}

/** Whether `readMarker` fails because a newer version has written it. */
export function isFromNewerVersion(error: unknown): boolean {
  return error instanceof DunnageError && error.remedy === NEWER;
}

/** 0 in a new pool. @throws DunnageError CORRUPT */
export async function readTransaction(root: string): Promise<number> {
  const text = await readText(root, TRANSACTION);
  if (text === undefined) return 0;
  const transaction = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(transaction) && transaction >= 0) return transaction;
  throw new DunnageError('CORRUPT', `${join(root, TRANSACTION)} holds no number`, {
    remedy: 'repair the pool: dunnage pool repair',
  });
}

export async function writeTransaction(root: string, transaction: number): Promise<void> {
  await writeDurably(root, TRANSACTION, `${transaction}\n`);
}

export async function removePoolFiles(root: string): Promise<void> {
  for (const name of POOL_FILES) await rm(join(root, name), { force: true });
}

async function readText(root: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, name), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fromSystemError(error, `cannot read ${join(root, name)}`);
  }
}

async function writeDurably(root: string, name: string, text: string): Promise<void> {
  const path = join(root, name);
  try {
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncDirectory(root);
  } catch (error) {
    throw fromSystemError(error, `cannot write ${path}`);
  }
}
