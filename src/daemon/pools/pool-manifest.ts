/**
 * `dunnage/v1 Pool`:
 *
 *   apiVersion: dunnage/v1
 *   kind: Pool
 *   metadata: {name: fast}
 *   spec:
 *     driver: reflink               # or devicemapper: the default if dataDevice or dataFile is given
 *     directory: /mnt/xfs/pool      # reflink, one of: a directory on XFS or btrfs,
 *     device: /dev/sdb1             #   a block device with such a file system (or format: true),
 *     file: {path: /x.img, size: 20GiB}   # a file, for development
 *     dataDevice: /dev/vg/data      # devicemapper: block devices, or
 *     metadataDevice: /dev/vg/meta
 *     dataFile: {path: /x.data, size: 20GiB}   # files, for development; metadataFile may be left out then
 *     format: false                 # make file system or pool on block devices that hold nothing
 *     blockSize: 64KiB              # devicemapper, as are the next three
 *     lowWaterMark: 2GiB
 *     discardPassdown: true
 *     whenFull: queue               # or error
 *     deviceSize: 10GiB             # of a device that is made without saying
 *     overcommit: {allowed: false, highWaterMark: 90%}
 *     trim: {interval: 24h}         # or off
 *     discardBlocks: false
 *     asyncRemove: false
 *     fileSystem: {type: ext4, options: ""}
 *     config: |                     # or the reference's TOML: root_path, pool_name, base_image_size ...
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { Field } from '../../projection/manifests/fields.ts';
import type { YamlDocument } from '../../projection/manifests/yaml-documents.ts';
import {
  FILE_SYSTEM_TYPES,
  type FileSystemType,
  fileSystemOptions,
  type LoadedPoolConfig,
  parsePoolConfig,
} from '../../thinpool/config.ts';
import { assertDeviceSize } from '../../thinpool/device-names.ts';
import { assertPoolName, DEVICE_SIZE_BYTES, type PoolSpec } from '../../thinpool/pool-spec.ts';
import { HIGH_WATER_PERCENT } from '../../thinpool/space/space-marks.ts';
import { readInterval, readPercent, readSize } from './pool-fields.ts';
import { PLACE_FIELDS, readPlace } from './pool-place-fields.ts';

export interface PoolManifest {
  readonly spec: PoolSpec;
  /** Which document of the stream, from 1. */
  readonly document: number;
}

const SPEC_FIELDS = [
  ...PLACE_FIELDS,
  ...['deviceSize', 'overcommit', 'trim', 'discardBlocks', 'asyncRemove', 'fileSystem', 'config'],
];

export function isPoolDocument({ value }: YamlDocument): boolean {
  const object = value as { apiVersion?: unknown; kind?: unknown } | null;
  return typeof object === 'object' && object?.kind === 'Pool' && object.apiVersion === 'dunnage/v1';
}

/** @throws DunnageError INVALID_MANIFEST for the first thing that is wrong */
export function readPool(document: YamlDocument): PoolManifest {
  const bare = new Field({ document, title: 'Pool', root: [] }, [], document.value);
  const text = bare.get('metadata').get('name').value;
  const title = typeof text === 'string' ? `Pool ${JSON.stringify(text)}` : 'Pool';
  const object = new Field({ document, title, root: [] }, [], document.value);
  object.only(['apiVersion', 'kind', 'metadata', 'spec']);
  const metadata = object.get('metadata');
  if (metadata.isAbsent) throw metadata.error('is missing', 'give metadata.name');
  const name = metadata.only(['name', 'labels', 'annotations']).get('name');
  name.checked(() => assertPoolName(name.string()));
  const spec = object.get('spec');
  if (spec.isAbsent)
    throw spec.error('is missing', 'say what the pool lies on: directory, device, file, or dataDevice');
  return { spec: readSpec(name.string(), spec.only(SPEC_FIELDS)), document: document.index };
}

/** @throws DunnageError INVALID_MANIFEST if two documents are the same pool */
export function refuseRepeatedPools(manifests: readonly PoolManifest[]): void {
  const documentOf = new Map<string, number>();
  for (const { spec, document } of manifests) {
    const other = documentOf.get(spec.name);
    if (other !== undefined) {
      const message = `documents ${other} and ${document} are both Pool ${JSON.stringify(spec.name)}`;
      throw new DunnageError('INVALID_MANIFEST', message, { remedy: 'keep one of them' });
    }
    documentOf.set(spec.name, document);
  }
}

function readSpec(name: string, spec: Field): PoolSpec {
  const config = readConfig(name, spec.get('config'));
  const overcommit = readOvercommit(spec.get('overcommit'));
  const trimIntervalMs = readInterval(spec.get('trim'));
  return {
    name,
    place: readPlace(spec, config?.root_path),
    deviceSizeBytes: readDeviceSize(spec.get('deviceSize'), config?.baseImageSizeBytes),
    ...(overcommit && { overcommit }),
    ...(trimIntervalMs !== undefined && { trimIntervalMs }),
    discardBlocks: readFlag(spec.get('discardBlocks'), config?.discard_blocks),
    asyncRemove: readFlag(spec.get('asyncRemove'), config?.async_remove),
    fileSystem: readFileSystem(spec.get('fileSystem'), config),
  };
}

/** Fields of the manifest go before those of the TOML, except for the name: there is one. */
function readConfig(name: string, field: Field): LoadedPoolConfig | undefined {
  if (field.isAbsent) return undefined;
  const config = field.checked(() => parsePoolConfig(field.string(), 'config'));
  if (config.pool_name === name) return config;
  throw field.error(`names the pool ${JSON.stringify(config.pool_name)}`, 'give it the name of the manifest');
}

function readDeviceSize(field: Field, fallback = DEVICE_SIZE_BYTES): number {
  const sizeBytes = field.isAbsent ? fallback : readSize(field);
  field.checked(() => assertDeviceSize('of that size', sizeBytes));
  return sizeBytes;
}

function readOvercommit(field: Field): PoolSpec['overcommit'] {
  if (field.isAbsent) return undefined;
  const [allowed, mark] = [field.only(['allowed', 'highWaterMark']).get('allowed'), field.get('highWaterMark')];
  const highWaterPercent = mark.isAbsent ? HIGH_WATER_PERCENT : readPercent(mark);
  return !allowed.isAbsent && allowed.boolean() ? { highWaterPercent } : undefined;
}

function readFlag(field: Field, fallback = false): boolean {
  return field.isAbsent ? fallback : field.boolean();
}

function readFileSystem(field: Field, config: LoadedPoolConfig | undefined): PoolSpec['fileSystem'] {
  const [type, options] = field.isAbsent
    ? [field, field]
    : [field.only(['type', 'options']).get('type'), field.get('options')];
  const wanted = type.isAbsent ? (config?.fs_type ?? 'ext4') : type.string();
  if (!(FILE_SYSTEM_TYPES as readonly string[]).includes(wanted)) {
    throw type.error(`must be one of ${FILE_SYSTEM_TYPES.join(', ')}`);
  }
  const text = options.isAbsent ? (config?.fs_options ?? '') : options.string();
  return { type: wanted as FileSystemType, options: fileSystemOptions(wanted, text) };
}
