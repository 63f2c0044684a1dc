/** A pool as a manifest that `apply` takes again, with everything that was left out filled in. */
import type { PoolManifestDoc } from '../../server/pool-operations.ts';
import { type BackingSpec, driverOf, type PoolPlaceSpec, type PoolSpec } from '../../thinpool/pool-spec.ts';
import { HIGH_WATER_PERCENT } from '../../thinpool/space/space-marks.ts';
import { formatInterval } from './pool-fields.ts';

type Fields = Readonly<Record<string, unknown>>;

export function toPoolDocument(spec: PoolSpec): PoolManifestDoc {
  const { name, place, overcommit, deviceSizeBytes, discardBlocks, asyncRemove, fileSystem } = spec;
  return {
    apiVersion: 'dunnage/v1',
    kind: 'Pool',
    metadata: { name },
    spec: {
      driver: driverOf(spec),
      ...placeFields(place),
      deviceSize: formatSize(deviceSizeBytes),
      overcommit: {
        allowed: overcommit !== undefined,
        highWaterMark: `${overcommit?.highWaterPercent ?? HIGH_WATER_PERCENT}%`,
      },
      trim: { interval: formatInterval(spec.trimIntervalMs) },
      ...{ discardBlocks, asyncRemove, fileSystem },
    },
  };
}

function placeFields(place: PoolPlaceSpec): Fields {
  switch (place.kind) {
    case 'directory':
      return { directory: place.path };
    case 'device':
      return { device: place.path, format: place.format };
    case 'file':
      return { file: fileField(place) };
    case 'device-mapper': {
      const { blockBytes, lowWaterBlocks, discardPassdown, errorIfNoSpace } = place.parameters;
      return {
        ...backingField('data', place.data),
        ...backingField('metadata', place.metadata),
        ...(place.data.kind === 'device' || place.metadata.kind === 'device' ? { format: place.format } : {}),
        blockSize: formatSize(blockBytes),
        lowWaterMark: lowWaterBlocks === 0 ? 1 : formatSize(lowWaterBlocks * blockBytes),
        discardPassdown,
        whenFull: errorIfNoSpace ? 'error' : 'queue',
      };
    }
  }
}

function backingField(part: 'data' | 'metadata', backing: BackingSpec): Fields {
  return backing.kind === 'device' ? { [`${part}Device`]: backing.path } : { [`${part}File`]: fileField(backing) };
}

/** A path that was not given follows the state directory. */
function fileField({ path, sizeBytes }: { readonly path?: string; readonly sizeBytes: number }): Fields {
  return { ...(path !== undefined && { path }), size: formatSize(sizeBytes) };
}

const STEPS = ['', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Exactly: `20GiB`, or a number of bytes. */
function formatSize(sizeBytes: number): string | number {
  let [value, step] = [sizeBytes, 0];
  while (value % 1024 === 0 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  return step === 0 ? sizeBytes : `${value}${STEPS[step]}`;
}
