/** What is said of the space of a pool: in the log when something changes, and in its status as long as it lasts. */
import { formatBytes } from '../../base/units.ts';
import type { Overcommit, PoolSpaceEventKind, SpaceReport } from './pool-space.ts';

type Level = 'info' | 'warn' | 'error';

const MESSAGES: Readonly<Record<PoolSpaceEventKind, readonly [Level, string]>> = {
  refused: ['warn', 'a pool has no room for something new'],
  'low-water': ['warn', 'a pool has less free data than its low-water mark says'],
  'above-low-water': ['info', 'a pool has more free data again than its low-water mark says'],
  filling: ['warn', 'a pool comes near its high-water mark'],
  'filling-no-more': ['info', 'a pool is not near its high-water mark any more'],
  low: ['error', 'a pool has reached its high-water mark: nothing new is made in it'],
  enough: ['info', 'a pool is below its high-water mark again'],
  'writers-stopped': ['error', 'who writes to devices of the pool waits until there is more room'],
  'writers-resumed': ['info', 'who writes to devices of the pool goes on'],
  unbacked: ['error', 'a pool has less room than its devices were promised'],
  backed: ['info', 'a pool has the room again that its devices were promised'],
  'metadata-low': ['error', 'the metadata of a pool are almost full: nothing new is made in it'],
  'metadata-enough': ['info', 'the metadata of a pool have room again'],
  'read-only': ['error', 'a pool takes no changes any more'],
  writable: ['info', 'a pool takes changes again'],
  'needs-check': ['error', 'a pool wants to be checked'],
  checked: ['info', 'a pool does not want to be checked any more'],
};

export function levelOf(kind: PoolSpaceEventKind): Level {
  return MESSAGES[kind][0];
}

export function messageOf(kind: PoolSpaceEventKind): string {
  return MESSAGES[kind][1];
}

/** Whole sentences without a stop at their end, the worst first; what to do is in each. */
export function warningsOf(report: SpaceReport, overcommit: Overcommit | undefined): readonly string[] {
  const { usedBytes, totalBytes, promisedBytes, promisableBytes, metadataUsedBytes, metadataTotalBytes } = report;
  const used = `${formatBytes(usedBytes)} of ${formatBytes(totalBytes)} are in use`;
  const metadataUsed = `${formatBytes(metadataUsedBytes)} of ${formatBytes(metadataTotalBytes)}`;
  const lines: readonly (readonly [boolean, string])[] = [
    [report.needsCheck, 'it found something wrong with itself: run dunnage pool repair'],
    [report.isReadOnly, 'it takes no changes any more: run dunnage pool check'],
    [
      report.areWritersStopped,
      `who writes waits until there is room (${used}): remove devices or snapshots, or make the pool larger`,
    ],
    [
      report.isLow && !report.areWritersStopped,
      `it is above its high-water mark of ${overcommit?.highWaterPercent}% (${used}): remove devices or snapshots, or make the pool larger`,
    ],
    [report.areMetadataLow, `its metadata are almost full (${metadataUsed}): make the metadata device larger`],
    [
      !report.isBacked && overcommit === undefined,
      `its devices were promised ${formatBytes(promisedBytes)}, and it can hold ${formatBytes(promisableBytes)}: writes may fail; make room, or make the pool larger`,
    ],
  ];
  return lines.filter(([holds]) => holds).map(([, line]) => line);
}
