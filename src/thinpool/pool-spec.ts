/** What a pool shall be, as its manifest says it, and which changes of it a pool that exists can follow. */
import { join } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { FileSystemType } from './config.ts';
import { DEFAULT_PARAMETERS, type PoolParameters } from './device-mapper/pool-table.ts';
import type { DriverKind } from './driver.ts';
import type { Overcommit } from './space/pool-space.ts';

/** A directory of a file system that shares blocks. */
export interface DirectoryPlaceSpec {
  readonly kind: 'directory';
  readonly path: string;
}

/** A block device with such a file system. */
export interface DevicePlaceSpec {
  readonly kind: 'device';
  readonly path: string;
  /** Put an XFS there first; refused if it holds anything. */
  readonly format: boolean;
}

/** A file that is made with its full size. For development. */
export interface FilePlaceSpec {
  readonly kind: 'file';
  /** Default: in the state directory. */
  readonly path?: string;
  readonly sizeBytes: number;
}

/** One of the two things that a pool of the device-mapper lies on: a block device, or a file that is made with its full size. */
export type BackingSpec =
  | { readonly kind: 'device'; readonly path: string }
  | { readonly kind: 'file'; readonly path?: string; readonly sizeBytes: number };

export interface MapperPlaceSpec {
  readonly kind: 'device-mapper';
  readonly data: BackingSpec;
  readonly metadata: BackingSpec;
  /** Make a new pool on the block devices; refused if one of them holds anything. Otherwise they hold this pool already. */
  readonly format: boolean;
  readonly parameters: Pick<PoolParameters, 'blockBytes' | 'lowWaterBlocks' | 'discardPassdown' | 'errorIfNoSpace'>;
}

export type PoolPlaceSpec = DirectoryPlaceSpec | DevicePlaceSpec | FilePlaceSpec | MapperPlaceSpec;

export interface PoolSpec {
  readonly name: string;
  readonly place: PoolPlaceSpec;
  /** Of a device that is made without saying. */
  readonly deviceSizeBytes: number;
  /** Undefined: nothing is promised that is not there. */
  readonly overcommit?: Overcommit;
  /** Undefined: file systems on devices are not trimmed by schedule. */
  readonly trimIntervalMs?: number;
  /** Blocks of a removed device are given back to what the pool lies on. */
  readonly discardBlocks: boolean;
  /** For who makes snapshots of it: removal only marks, a cleanup deletes. */
  readonly asyncRemove: boolean;
  /** For who puts file systems on its devices. */
  readonly fileSystem: { readonly type: FileSystemType; readonly options: string };
}

export const DEVICE_SIZE_BYTES: number = 10 * 1024 ** 3;
export const TRIM_INTERVAL_MS = 86_400_000;
export const POOL_NAME: RegExp = /^[a-z0-9][a-z0-9-]{0,62}$/;

export const MAPPER_PARAMETERS: MapperPlaceSpec['parameters'] = {
  blockBytes: DEFAULT_PARAMETERS.blockBytes,
  lowWaterBlocks: DEFAULT_PARAMETERS.lowWaterBlocks,
  discardPassdown: DEFAULT_PARAMETERS.discardPassdown,
  errorIfNoSpace: DEFAULT_PARAMETERS.errorIfNoSpace,
};

export function driverOf({ place }: Pick<PoolSpec, 'place'>): DriverKind {
  return place.kind === 'device-mapper' ? 'devicemapper' : 'reflink';
}

/** @throws DunnageError INVALID_ARGUMENT */
export function assertPoolName(name: string): void {
  if (POOL_NAME.test(name)) return;
  throw new DunnageError('INVALID_ARGUMENT', `${JSON.stringify(name)} cannot be the name of a pool`, {
    remedy: 'take at most 63 lower-case letters, digits and "-", beginning with a letter or a digit',
  });
}

/** Where pools in files are kept if nothing else is said. */
export function poolsDirectory(stateDir: string): string {
  return join(stateDir, 'pools');
}

/** Absolute paths of what a pool lies on: one, or data and metadata. */
export interface PoolPaths {
  readonly data: string;
  readonly metadata?: string;
}

export function poolPaths({ name, place }: Pick<PoolSpec, 'name' | 'place'>, stateDir: string): PoolPaths {
  const inState = (end: string): string => join(poolsDirectory(stateDir), `${name}.${end}`);
  if (place.kind !== 'device-mapper') return { data: place.path ?? inState('img') };
  return { data: place.data.path ?? inState('data'), metadata: place.metadata.path ?? inState('metadata') };
}

/** It lies in files of another file system: good for development, and worth a warning. */
export function liesInFiles({ place }: Pick<PoolSpec, 'place'>): boolean {
  if (place.kind === 'device-mapper') return place.data.kind === 'file' || place.metadata.kind === 'file';
  return place.kind === 'file';
}

/** Whether anything differs. @throws DunnageError IMMUTABLE for a change that only a new pool can have */
export function differs(before: PoolSpec, after: PoolSpec): boolean {
  const [was, will] = [before.place, after.place];
  if (was.kind !== will.kind) throw fixed(after.name, `lies on a ${was.kind}, not on a ${will.kind}`);
  if (was.kind === 'device-mapper' && will.kind === 'device-mapper') {
    for (const part of ['data', 'metadata'] as const) {
      if (was[part].kind !== will[part].kind || was[part].path !== will[part].path)
        throw fixed(after.name, `has its ${part} elsewhere`);
      assertNotSmaller(after.name, sizeOf(was[part]), sizeOf(will[part]));
    }
    if (was.parameters.blockBytes !== will.parameters.blockBytes) {
      throw fixed(after.name, `has blocks of ${was.parameters.blockBytes} bytes`);
    }
  } else if (was.kind !== 'device-mapper' && will.kind !== 'device-mapper') {
    if (was.path !== will.path) throw fixed(after.name, 'lies elsewhere');
    assertNotSmaller(after.name, sizeOf(was), sizeOf(will));
  }
  return JSON.stringify(lasting(before)) !== JSON.stringify(lasting(after));
}

/** `format` says how a pool is made, and nothing of one that exists. */
function lasting(spec: PoolSpec): unknown {
  return { ...spec, place: { ...spec.place, format: undefined } };
}

function sizeOf(place: PoolPlaceSpec | BackingSpec): number {
  return 'sizeBytes' in place ? place.sizeBytes : 0;
}

function assertNotSmaller(name: string, beforeBytes: number, afterBytes: number): void {
  if (afterBytes < beforeBytes) throw fixed(name, `has ${beforeBytes} bytes, and cannot become smaller`);
}

function fixed(name: string, what: string): DunnageError {
  return new DunnageError('IMMUTABLE', `the pool ${name} exists, and ${what}`, {
    remedy: 'what it lies on is fixed; for anything else delete the pool and create it again',
  });
}
