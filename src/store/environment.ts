/** Opens the LMDB environment of a state directory, with the checks that come before LMDB may touch it. */
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase, type RootDatabaseOptions } from 'lmdb';
import type { Log } from '../base/log.ts';
import { makeDirectoriesSync } from '../base/make-directories.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { corrupt, readNewestMeta } from './data-file.ts';
import { assertRecovered, recover } from './durable-root.ts';
import { fromLmdbError } from './lmdb-error.ts';

export type Environment = RootDatabase<Buffer, Uint8Array>;

/** Options lmdb knows but its declarations leave out. */
type AllOptions = RootDatabaseOptions & { permissionsMode: number };

export interface EnvironmentOptions {
  readonly stateDir: string;
  readonly mapSizeBytes: number;
  readonly readOnly: boolean;
  readonly bootId: string;
  readonly log: Log;
  /** Gets the records of commits that a restart of the host has undone and that are to be made again. */
  readonly onUndone?: (records: readonly Uint8Array[]) => void;
}

/** Format of LMDB's file itself; lmdb 3.x writes 2. */
const LMDB_FILE_VERSION = 2;
const DATABASES_MAX = 64;
const READERS_MAX = 512;

export const METADATA_DIRECTORY = 'metadata';

/** Where the environment's data file is. */
export function dataFile(stateDir: string): string {
  return join(stateDir, METADATA_DIRECTORY, 'data.mdb');
}

/** Throws CORRUPT, NOT_SUPPORTED, NOT_FOUND (read-only and nothing there) and what mkdir and open throw. */
export function openEnvironment(options: EnvironmentOptions): Environment {
  const directory = join(options.stateDir, METADATA_DIRECTORY);
  const path = dataFile(options.stateDir);
  if (!options.readOnly) {
    prepareDirectory(directory);
    const undone = recover({ dataFile: path, bootId: options.bootId, log: options.log });
    if (undone.length > 0) options.onUndone?.(undone);
  } else {
    assertThere(options.stateDir);
    assertRecovered({ dataFile: path, bootId: options.bootId });
  }
  const header = readNewestMeta(path);
  if (header !== undefined && header.formatVersion !== LMDB_FILE_VERSION) {
    throw new DunnageError(
      'NOT_SUPPORTED',
      `${path} has LMDB format ${header.formatVersion}, this version reads ${LMDB_FILE_VERSION}`,
      {
        remedy: 'Start the version of dunnage that wrote it.',
      },
    );
  }
  const lmdbOptions: AllOptions = {
    encoding: 'binary',
    keyEncoding: 'binary',
    // With it LMDB flushes within every commit; flushing is this room's own decision.
    overlappingSync: false,
    // Off: with it, freed heap memory, plain secrets among it, would end up in unused parts of pages.
    noMemInit: false,
    noSubdir: false,
    maxDbs: DATABASES_MAX,
    maxReaders: READERS_MAX,
    mapSize: options.mapSizeBytes,
    permissionsMode: 0o600,
    readOnly: options.readOnly,
  };
  try {
    return open<Buffer, Uint8Array>(directory, lmdbOptions);
  } catch (error) {
    const known = fromLmdbError(error, `cannot open the metadata in ${directory}`);
    throw known instanceof DunnageError ? known : corrupt(directory, String(error), error);
  }
}

/** Throws NOT_FOUND. */
export function assertThere(stateDir: string): void {
  if (existsSync(dataFile(stateDir))) return;
  throw new DunnageError('NOT_FOUND', `there is no metadata in ${join(stateDir, METADATA_DIRECTORY)}`, {
    remedy: 'Name the state directory of a daemon that has run: --state-dir',
  });
}

function prepareDirectory(directory: string): void {
  try {
    makeDirectoriesSync(directory, 0o700);
    chmodSync(directory, 0o700);
  } catch (error) {
    throw fromSystemError(error, `cannot create ${directory}`);
  }
}
