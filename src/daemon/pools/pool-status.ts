/** What there is to say of a pool, for the control API. */
import type { PoolDeviceSummary, PoolStatusDoc, PoolSummary } from '../../server/pool-operations.ts';
import type { DriverKind, PoolStatus } from '../../thinpool/driver.ts';
import { driverOf, liesInFiles, type PoolPaths } from '../../thinpool/pool-spec.ts';
import type { DeviceView } from '../../thinpool/service/pool-devices.ts';
import type { PoolView } from '../../thinpool/service/pool-service.ts';
import { HIGH_WATER_PERCENT } from '../../thinpool/space/space-marks.ts';

const BETTER: Readonly<Record<DriverKind, string>> = {
  reflink: 'use a block device or a directory on XFS',
  devicemapper: 'use block devices',
};

export function summarizePool(view: PoolView): PoolSummary {
  const { spec, state, reason, createdAtMs, metadata } = view;
  const { data, promisableBytes } = figuresOf(view);
  return {
    name: spec.name,
    driver: driverOf(spec),
    state,
    ...(reason === undefined ? {} : { reason }),
    place: placeText(view.paths),
    createdAtMs,
    data,
    promisedBytes: metadata.promisedBytes,
    promisableBytes,
    devices: metadata.getDeviceNames().length,
    warnings: warningsOf(view),
  };
}

export function describePool(view: PoolView, devices: readonly DeviceView[]): PoolStatusDoc {
  const { spec, state, reason, metadata } = view;
  const faulty = devices.filter((device) => device.state === 'Faulty');
  return {
    name: spec.name,
    driver: driverOf(spec),
    state,
    ...(reason === undefined ? {} : { reason }),
    place: placeText(view.paths),
    transaction: metadata.transaction,
    ...figuresOf(view),
    promisedBytes: metadata.promisedBytes,
    overcommit: {
      allowed: spec.overcommit !== undefined,
      highWaterMark: spec.overcommit?.highWaterPercent ?? HIGH_WATER_PERCENT,
    },
    devices: devices.map(toDeviceSummary),
    warnings: [
      ...warningsOf(view),
      ...faulty.map(({ name, error }) => `device ${name} is Faulty: ${error}; dunnage pool repair ${spec.name}`),
    ],
  };
}

export function toDeviceSummary(device: DeviceView): PoolDeviceSummary {
  const { name, deviceId, state, sizeBytes, ownBytes, sharedBytes, isActive, path, parentName, error } = device;
  return {
    ...{ name, id: deviceId, state, sizeBytes, ownBytes, sharedBytes, active: isActive },
    ...(path === undefined ? {} : { path }),
    ...(parentName === '' ? {} : { snapshotOf: parentName }),
    ...(error === '' ? {} : { error }),
  };
}

/** Sentences, each with the remedy. Faulty devices are not among them. */
export function warningsOf({ spec, paths, state, reason, figures }: PoolView): readonly string[] {
  const { name } = spec;
  const warnings: string[] = [];
  if (state === 'broken') warnings.push(`pool ${name} is broken: ${reason}`);
  if (state === 'deleting') warnings.push(`pool ${name} is being deleted${reason === undefined ? '' : `: ${reason}`}`);
  if (typeof figures === 'string') warnings.push(`pool ${name} cannot be asked: ${figures}`);
  if (liesInFiles({ place: spec.place })) {
    warnings.push(`pool ${name} lies in ${placeText(paths)}: good for development; ${BETTER[driverOf(spec)]}`);
  }
  if (typeof figures === 'object') warnings.push(...figures.warnings);
  return warnings;
}

type Figures = Pick<
  PoolStatusDoc,
  'data' | 'metadata' | 'promisableBytes' | 'writersStopped' | 'isReadOnly' | 'needsCheck' | 'lowWater'
>;

const UNKNOWN: Figures = {
  data: { usedBytes: 0, totalBytes: 0 },
  metadata: { usedBytes: 0, totalBytes: 0 },
  ...{ promisableBytes: 0, writersStopped: false, isReadOnly: false, needsCheck: false, lowWater: false },
};

function figuresOf({ figures }: PoolView): Figures {
  if (typeof figures !== 'object') return UNKNOWN;
  const { status, space } = figures;
  const { isReadOnly, needsCheck, promisableBytes, areWritersStopped = false }: PoolStatus = status;
  return {
    data: { usedBytes: status.dataUsedBytes, totalBytes: status.dataTotalBytes },
    metadata: { usedBytes: status.metadataUsedBytes, totalBytes: status.metadataTotalBytes },
    ...{
      promisableBytes,
      writersStopped: areWritersStopped,
      isReadOnly,
      needsCheck,
      lowWater: space.isLow || space.isBelowLowWater,
    },
  };
}

function placeText({ data, metadata }: PoolPaths): string {
  return metadata === undefined ? data : `${data} (metadata: ${metadata})`;
}
