/** What a pool lies on, in its manifest: one of several ways, and what goes with each. */
import { isAbsolute, normalize } from 'node:path';
import type { Field } from '../../projection/manifests/fields.ts';
import { metadataSizeBytes } from '../../thinpool/device-mapper/create-pool.ts';
import { assertParameters, DEFAULT_PARAMETERS } from '../../thinpool/device-mapper/pool-table.ts';
import {
  type BackingSpec,
  MAPPER_PARAMETERS,
  type MapperPlaceSpec,
  type PoolPlaceSpec,
} from '../../thinpool/pool-spec.ts';
import { readSize } from './pool-fields.ts';

const REFLINK = ['directory', 'device', 'file'] as const;
const MAPPER = ['dataDevice', 'dataFile', 'metadataDevice', 'metadataFile'] as const;
const PARAMETERS = ['blockSize', 'lowWaterMark', 'discardPassdown', 'whenFull'] as const;
const DRIVERS = ['reflink', 'devicemapper'] as const;

export const PLACE_FIELDS: readonly string[] = ['driver', ...REFLINK, ...MAPPER, 'format', ...PARAMETERS];

/** `directory`: where the pool lies if nothing is said of that. */
export function readPlace(spec: Field, directory: string | undefined): PoolPlaceSpec {
  const given = (names: readonly string[]): readonly string[] => names.filter((name) => !spec.get(name).isAbsent);
  const isMapper = readDriver(spec, given(MAPPER).length > 0) === 'devicemapper';
  const [wrong] = given(isMapper ? REFLINK : [...MAPPER, ...PARAMETERS]);
  if (wrong !== undefined)
    throw spec.get(wrong).error(`is nothing for the driver ${isMapper ? 'devicemapper' : 'reflink'}`);
  if (isMapper) return readMapper(spec);
  const [one, another] = given(REFLINK);
  if (another !== undefined) throw spec.get(another).error(`cannot be together with ${one}: a pool lies in one place`);
  const format = spec.get('format');
  if (one !== 'device' && readFlag(format)) throw format.error('is for block devices only');
  switch (one) {
    case 'directory':
      return { kind: 'directory', path: readPath(spec.get('directory')) };
    case 'device':
      return { kind: 'device', path: readPath(spec.get('device')), format: readFlag(format) };
    case 'file':
      return readFile(spec.get('file'));
    default:
      if (directory !== undefined) return { kind: 'directory', path: directory };
      throw spec.error('does not say what the pool lies on', `give one of ${[...REFLINK, 'dataDevice'].join(', ')}`);
  }
}

function readDriver(spec: Field, isMapper: boolean): (typeof DRIVERS)[number] {
  const field = spec.get('driver');
  if (field.isAbsent) return isMapper ? 'devicemapper' : 'reflink';
  const driver = DRIVERS.find((known) => known === field.value);
  if (driver === undefined) throw field.error(`must be one of ${DRIVERS.join(', ')}`);
  return driver;
}

function readMapper(spec: Field): MapperPlaceSpec {
  const parameters = readParameters(spec);
  const data = readBacking(spec, 'data', undefined);
  const small = data.kind === 'file' ? metadataSizeBytes(data.sizeBytes, parameters.blockBytes) : undefined;
  const metadata = readBacking(spec, 'metadata', small);
  if (data.path !== undefined && data.path === metadata.path) {
    throw spec.error('has data and metadata of the pool in one place', 'give each a device of its own');
  }
  const format = spec.get('format');
  if (readFlag(format) && data.kind === 'file' && metadata.kind === 'file') {
    throw format.error('is for block devices only');
  }
  return { kind: 'device-mapper', data, metadata, format: readFlag(format), parameters };
}

/** `defaultBytes`: of a file that nothing is said of. */
function readBacking(spec: Field, part: 'data' | 'metadata', defaultBytes: number | undefined): BackingSpec {
  const [device, file] = [spec.get(`${part}Device`), spec.get(`${part}File`)];
  if (!device.isAbsent && !file.isAbsent) throw file.error(`cannot be together with ${part}Device`);
  if (!device.isAbsent) return { kind: 'device', path: readPath(device) };
  if (!file.isAbsent) return readFile(file, defaultBytes);
  if (defaultBytes !== undefined) return { kind: 'file', sizeBytes: defaultBytes };
  throw spec.error(
    `does not say where the ${part} of the pool go`,
    `give ${part}Device (or ${part}File, for development)`,
  );
}

function readFile(field: Field, defaultBytes?: number): { kind: 'file'; path?: string; sizeBytes: number } {
  const [path, size] = [field.only(['path', 'size']).get('path'), field.get('size')];
  const sizeBytes = size.isAbsent && defaultBytes !== undefined ? defaultBytes : readSize(size);
  return { kind: 'file', ...(path.isAbsent ? {} : { path: readPath(path) }), sizeBytes };
}

function readParameters(spec: Field): MapperPlaceSpec['parameters'] {
  const [block, low, whenFull] = [spec.get('blockSize'), spec.get('lowWaterMark'), spec.get('whenFull')];
  const blockBytes = block.isAbsent ? MAPPER_PARAMETERS.blockBytes : readSize(block);
  const lowWaterBlocks = low.isAbsent ? MAPPER_PARAMETERS.lowWaterBlocks : Math.floor(readSize(low) / blockBytes);
  if (!whenFull.isAbsent && whenFull.value !== 'queue' && whenFull.value !== 'error') {
    throw whenFull.error('must be queue or error');
  }
  const passdown = spec.get('discardPassdown');
  const parameters = {
    ...{ blockBytes, lowWaterBlocks, errorIfNoSpace: whenFull.value === 'error' },
    discardPassdown: passdown.isAbsent ? MAPPER_PARAMETERS.discardPassdown : passdown.boolean(),
  };
  block.checked(() => assertParameters({ ...DEFAULT_PARAMETERS, ...parameters }));
  return parameters;
}

function readFlag(field: Field): boolean {
  return field.isAbsent ? false : field.boolean();
}

function readPath(field: Field): string {
  const path = field.string();
  if (!isAbsolute(path) || path.includes('\0') || path.includes('\n')) throw field.error('must be an absolute path');
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}
