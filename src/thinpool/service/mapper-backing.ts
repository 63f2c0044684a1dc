/** What a pool of the device-mapper lies on: block devices for data and metadata, or for development files. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import type { BackingPaths } from '../device-mapper/backing.ts';
import { createDeviceMapperPool, makePoolFile } from '../device-mapper/create-pool.ts';
import { DeviceMapperDriver } from '../device-mapper/device-mapper-driver.ts';
import { readMetadataContent, zeroMetadata } from '../device-mapper/superblock.ts';
import { findSignatures } from '../device-mapper/thin-tools.ts';
import type { PoolDriver } from '../driver.ts';
import type { MapperPlaceSpec } from '../pool-spec.ts';
import { type BackingContext, DEVICES_FOLDER, type PoolBacking, publicPrefix } from './pool-backing.ts';

const PARTS = ['metadata', 'data'] as const;

/** Two files, and the pool in them or on block devices. */
type Made = (typeof PARTS)[number] | 'pool';
const ALL: ReadonlySet<Made> = new Set<Made>([...PARTS, 'pool']);

export class MapperBacking implements PoolBacking {
  readonly #context: BackingContext;
  readonly #place: MapperPlaceSpec;
  readonly #paths: BackingPaths;
  /** By this object. */
  readonly #made = new Set<Made>();

  constructor(context: BackingContext, place: MapperPlaceSpec) {
    this.#context = context;
    this.#place = place;
    this.#paths = { dataPath: context.paths.data, metadataPath: context.paths.metadata ?? '' };
  }

  async inspect(): Promise<'new' | 'pool'> {
    const there = [];
    for (const part of PARTS) there.push(await this.#isThere(part));
    const { metadataPath, dataPath } = this.#paths;
    const content = there[0] === true ? readMetadataContent(metadataPath).kind : 'empty';
    if (content === 'pool' && there[1] === true) {
      if (!this.#place.format) return 'pool';
      throw holdsSomething(metadataPath, 'a thin pool', 'leave out format to use that pool');
    }
    if (content !== 'empty') throw holdsSomething(metadataPath, content === 'pool' ? 'a thin pool' : 'something');
    for (const [index, part] of PARTS.entries()) {
      if (there[index] !== true) continue;
      const path = part === 'data' ? dataPath : metadataPath;
      if (this.#place[part].kind === 'file') throw holdsSomething(path, 'no pool, but it is there');
      if (!this.#place.format) {
        throw new DunnageError('NOT_FOUND', `${metadataPath} holds no thin pool`, {
          remedy: 'have one made: format: true (pool create --format)',
        });
      }
      const found = await findSignatures(path);
      if (found !== '') throw holdsSomething(path, found);
    }
    return 'new';
  }

  /** Files may be missing, block devices not. */
  async #isThere(part: 'data' | 'metadata'): Promise<boolean> {
    const { kind } = this.#place[part];
    const path = part === 'data' ? this.#paths.dataPath : this.#paths.metadataPath;
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && kind === 'file') return undefined;
      throw fromSystemError(error, `cannot use ${path} for a pool`);
    });
    if (found === undefined) return false;
    if (kind === 'file' ? found.isFile() : found.isBlockDevice()) return true;
    throw new DunnageError('INVALID_ARGUMENT', `${path} is no ${kind === 'file' ? 'file' : 'block device'}`);
  }

  async make(isResumed: boolean): Promise<void> {
    const native = loadNative();
    const { metadataPath } = this.#paths;
    const wasMade = (await this.#isThere('metadata')) && readMetadataContent(metadataPath).kind === 'pool';
    if (isResumed && wasMade) return;
    for (const part of PARTS) {
      const place = this.#place[part];
      const path = part === 'data' ? this.#paths.dataPath : metadataPath;
      if (place.kind !== 'file') continue;
      // Half-made, by who was interrupted.
      if (isResumed) await rm(path, { force: true });
      await makePoolFile(native, path, place.sizeBytes);
      this.#made.add(part);
    }
    const { parameters } = this.#place;
    await createDeviceMapperPool({ ...this.#paths, native, pool: this.#context.spec.name, parameters });
    this.#made.add('pool');
  }

  async undo(isResumed: boolean): Promise<void> {
    const made = isResumed ? ALL : this.#made;
    if (made.has('pool')) await this.#takeOut();
    await this.#clear(made);
  }

  /** From the kernel, if it is there still. */
  async #takeOut(): Promise<void> {
    const driver = this.driver();
    try {
      await driver.destroy();
    } catch (error) {
      if (!(error instanceof DunnageError && error.code === 'NOT_FOUND')) throw error;
    } finally {
      await driver.close();
    }
  }

  driver(): PoolDriver {
    const { spec, runtimeDir, log } = this.#context;
    return new DeviceMapperDriver({
      ...this.#paths,
      ...{ native: loadNative(), pool: spec.name, log },
      nodesDirectory: join(runtimeDir, DEVICES_FOLDER),
      namePrefix: publicPrefix(spec.name),
      parameters: this.#place.parameters,
      waitsForSpace: spec.overcommit !== undefined && !this.#place.parameters.errorIfNoSpace,
    });
  }

  async remove(): Promise<string> {
    await this.#takeOut();
    await this.#clear(ALL);
    const devices = PARTS.filter((part) => this.#place[part].kind === 'device');
    const { dataPath, metadataPath } = this.#paths;
    const paths = devices.map((part) => (part === 'data' ? dataPath : metadataPath));
    return paths.length === 0 ? '' : `${paths.toReversed().join(' and ')} can be used for something else`;
  }

  /** Metadata that are zeros are those of no pool. */
  async #clear(made: ReadonlySet<Made>): Promise<void> {
    const { dataPath, metadataPath } = this.#paths;
    const isThere = await this.#isThere('metadata');
    if (this.#place.metadata.kind === 'file') {
      if (made.has('metadata')) await rm(metadataPath, { force: true });
    } else if (made.has('pool') && isThere && readMetadataContent(metadataPath).kind === 'pool') {
      zeroMetadata(metadataPath);
    }
    if (this.#place.data.kind === 'file' && made.has('data')) await rm(dataPath, { force: true });
  }
}

function holdsSomething(path: string, what: string, remedy?: string): DunnageError {
  return new DunnageError('ALREADY_EXISTS', `${path} holds something already: ${what}`, {
    remedy: remedy ?? `choose another one; what is there can be looked at with: wipefs ${path}`,
  });
}
