/** What a pool of the driver reflink lies on: a directory, a block device, or a file. */
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';
import { findSignatures } from '../device-mapper/thin-tools.ts';
import type { PoolDriver } from '../driver.ts';
import type { DevicePlaceSpec, DirectoryPlaceSpec, FilePlaceSpec } from '../pool-spec.ts';
import {
  assertAlone,
  assertFreeNames,
  leavePlace,
  type MarkedPlace,
  markPool,
  readPoolName,
  unmarkPool,
} from '../reflink/pool-marking.ts';
import { awaitUnused, formatPool } from '../reflink/pool-place.ts';
import { ReflinkDriver, type ReflinkOptions } from '../reflink/reflink-driver.ts';
import { type BackingContext, type PoolBacking, publicPrefix } from './pool-backing.ts';

export class ReflinkBacking implements PoolBacking {
  readonly #context: BackingContext;
  readonly #place: DirectoryPlaceSpec | DevicePlaceSpec | FilePlaceSpec;
  readonly #options: MarkedPlace;
  /** The file of the pool, by this object. */
  #hasMadeFile = false;

  constructor(context: BackingContext, place: DirectoryPlaceSpec | DevicePlaceSpec | FilePlaceSpec) {
    const { spec, paths, runtimeDir, log } = context;
    this.#context = context;
    this.#place = place;
    this.#options = { poolName: spec.name, place: { kind: place.kind, path: paths.data }, runtimeDir, log };
  }

  async inspect(): Promise<'new' | 'pool'> {
    const { path } = this.#options.place;
    const { kind } = this.#place;
    await this.#requireType(path);
    if (kind === 'file' && !(await exists(path))) return 'new';
    if (kind !== 'directory' && !(await this.#hasFileSystem(path))) return 'new';
    const name = await readPoolName(this.#options);
    if (name === this.#context.spec.name) {
      if (this.#context.spec.overcommit !== undefined) await this.assertOvercommits();
      return 'pool';
    }
    if (name !== undefined) throw new DunnageError('ALREADY_EXISTS', `${path} holds the pool "${name}" already`);
    if (kind === 'file') throw holdsSomething(path, 'a file system without a pool');
    if (kind === 'device' && this.#mayFormat) throw holdsSomething(path, 'a file system');
    // Its guard would stop whoever else writes there.
    if (kind === 'device') await awaitUnused(this.#options.place);
    await assertFreeNames(this.#options);
    if (this.#context.spec.overcommit !== undefined) await this.assertOvercommits();
    return 'new';
  }

  async assertOvercommits(): Promise<void> {
    await assertAlone(this.#options);
  }

  get #mayFormat(): boolean {
    return this.#place.kind === 'device' && this.#place.format;
  }

  async #requireType(path: string): Promise<void> {
    const found = await stat(path).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT' && this.#place.kind === 'file') return undefined;
      throw fromSystemError(error, `cannot use ${path} for a pool`);
    });
    if (found === undefined) return;
    const [is, what] = {
      directory: [found.isDirectory(), 'directory'] as const,
      device: [found.isBlockDevice(), 'block device'] as const,
      file: [found.isFile(), 'file'] as const,
    }[this.#place.kind];
    if (!is) throw new DunnageError('INVALID_ARGUMENT', `${path} is no ${what}`);
  }

  /** Whether there is one that a pool may lie in. Mounting anything else just to look would change it. */
  async #hasFileSystem(path: string): Promise<boolean> {
    const found = await findSignatures(path);
    if (found === 'xfs' || found === 'btrfs') return true;
    if (found !== '') throw holdsSomething(path, found);
    if (this.#place.kind === 'file') throw holdsSomething(path, 'no file system');
    await awaitUnused(this.#options.place);
    if (this.#mayFormat) return false;
    throw new DunnageError('NOT_FOUND', `${path} holds no file system`, {
      remedy: 'have it formatted: format: true (pool create --format), or do it yourself: mkfs.xfs -m reflink=1',
    });
  }

  async make(isResumed: boolean): Promise<void> {
    const { place } = this.#options;
    // Somebody's who came in between is refused by `formatPool`.
    if (this.#place.kind === 'file' && !(isResumed && (await exists(place.path)))) {
      await mkdir(dirname(place.path), { recursive: true, mode: 0o700 });
      await formatPool(place, this.#place.sizeBytes);
      this.#hasMadeFile = true;
    }
    if (this.#mayFormat && (await findSignatures(place.path)) === '') await formatPool(place);
    await markPool(this.#options);
  }

  async undo(isResumed: boolean): Promise<void> {
    const { path } = this.#options.place;
    if (this.#place.kind !== 'file') await unmarkPool(this.#options);
    await leavePlace(this.#options);
    if (this.#place.kind === 'file' && (isResumed || this.#hasMadeFile)) await rm(path, { force: true });
  }

  driver(): PoolDriver {
    const { spec, onWriters } = this.#context;
    const options: ReflinkOptions = { ...this.#options, namePrefix: publicPrefix(spec.name) };
    if (spec.overcommit === undefined) return new ReflinkDriver(options);
    return new ReflinkDriver({ ...options, guard: { ...spec.overcommit, onChange: onWriters } });
  }

  async remove(): Promise<string> {
    const { path } = this.#options.place;
    await this.undo(true);
    if (this.#place.kind === 'file') return '';
    return this.#place.kind === 'device' ? `${path} stays formatted` : `${path} stays`;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function holdsSomething(path: string, what: string): DunnageError {
  return new DunnageError('ALREADY_EXISTS', `${path} holds something already: ${what}`, {
    remedy: `choose another one; what is there can be looked at with: wipefs ${path}`,
  });
}
