/** Thin pools as people see them. */
import { formatBytes, formatDuration } from '../../base/units.ts';
import type { PoolDeviceSummary, PoolStatusDoc, PoolSummary, SpaceUse } from '../../server/pool-operations.ts';
import { type Column, formatFields, formatTable, printable } from './table.ts';
import type { Colour, Terminal } from './terminal.ts';

type Painter = Pick<Terminal, 'paint'>;

export function formatPools(pools: readonly PoolSummary[], nowMs: number, terminal: Painter): string {
  const columns: readonly Column<PoolSummary>[] = [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'DRIVER', cell: ({ driver }) => driver },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'USED', cell: ({ data }) => bytesOf(data, data.usedBytes), align: 'right' },
    { title: 'SIZE', cell: ({ data }) => bytesOf(data, data.totalBytes), align: 'right' },
    { title: 'USE%', cell: ({ data }) => percentOf(data), align: 'right' },
    { title: 'PROMISED', cell: ({ promisedBytes }) => formatBytes(promisedBytes), align: 'right' },
    { title: 'DEVICES', cell: ({ devices }) => String(devices), align: 'right' },
    { title: 'AGE', cell: ({ createdAtMs }) => formatDuration(nowMs - createdAtMs), align: 'right' },
    { title: 'PLACE', cell: ({ place }) => place },
  ];
  const notes = pools.flatMap(({ name, reason, warnings }) => [
    ...(isUntold(reason, warnings) ? [note(terminal, 'red', 'error:', `pool/${name}: ${reason}`)] : []),
    ...warnings.map((warning) => note(terminal, 'yellow', 'warning:', naming(name, warning))),
  ]);
  return withNotes(formatTable(columns, pools), notes);
}

/** States of devices that a block device belongs to: it is missing while the pool is not in service. */
const LIVE = new Set(['Activated', 'Resumed', 'Suspended']);

const DEVICE_COLUMNS: readonly Column<PoolDeviceSummary>[] = [
  { title: 'DEVICE', cell: ({ name }) => name },
  { title: 'ID', cell: ({ id }) => String(id), align: 'right' },
  { title: 'STATE', cell: ({ state, active }) => (active || !LIVE.has(state) ? state : `${state}, not there`) },
  { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
  { title: 'OWN', cell: ({ ownBytes }) => formatBytes(ownBytes), align: 'right' },
  { title: 'SHARED', cell: ({ sharedBytes }) => formatBytes(sharedBytes), align: 'right' },
];
const ORIGIN_COLUMN: Column<PoolDeviceSummary> = { title: 'SNAPSHOT OF', cell: ({ snapshotOf }) => snapshotOf ?? '-' };
const PATH_COLUMN: Column<PoolDeviceSummary> = { title: 'PATH', cell: ({ path }) => path ?? '-' };

/** Everything that there is to say of one pool: what it has and promises, and its devices. */
export function formatPool(pool: PoolStatusDoc, terminal: Painter): string {
  const { name, driver, state, place, data, metadata, devices, reason, transaction } = pool;
  const fields = formatFields([
    ['Pool', name],
    ['Driver', driver],
    ['State', [state, ...conditionsOf(pool)].join(', ')],
    ['Place', place],
    ['Data', formatSpace(data)],
    ['Metadata', driver === 'reflink' && metadata.totalBytes === 0 ? 'within the data' : formatSpace(metadata)],
    ['Promised', formatPromise(pool)],
    ['Overcommit', formatOvercommit(pool)],
    ['Devices', String(devices.length)],
    ['Changes', String(transaction)],
  ]);
  const isBranched = devices.some(({ snapshotOf }) => snapshotOf !== undefined);
  const columns = [...DEVICE_COLUMNS, ...(isBranched ? [ORIGIN_COLUMN] : []), PATH_COLUMN];
  const table = devices.length === 0 ? '' : `\n${formatTable(columns, devices)}`;
  const notes = [
    ...(isUntold(reason, pool.warnings) ? [note(terminal, 'red', 'error:', reason)] : []),
    ...devices.flatMap(({ name: device, error }) =>
      isUntold(error, pool.warnings) ? [note(terminal, 'red', 'error:', `device ${device}: ${error}`)] : [],
    ),
    ...pool.warnings.map((warning) => note(terminal, 'yellow', 'warning:', warning)),
  ];
  return withNotes(`${fields}${table}`, notes);
}

/** What keeps writers or the pool itself from going on, and what will soon. */
function conditionsOf(pool: PoolStatusDoc): readonly string[] {
  return [
    ...(pool.writersStopped ? ['WRITERS WAIT FOR ROOM'] : []),
    ...(pool.isReadOnly ? ['READ-ONLY'] : []),
    ...(pool.needsCheck ? ['WANTS A CHECK'] : []),
    ...(pool.lowWater && !pool.writersStopped ? ['low on space'] : []),
  ];
}

/** Of a pool that is not in service nothing is known. */
function bytesOf({ totalBytes }: SpaceUse, sizeBytes: number): string {
  return totalBytes === 0 ? '-' : formatBytes(sizeBytes);
}

function formatSpace(space: SpaceUse): string {
  if (space.totalBytes === 0) return 'not known: the pool is not in service';
  return `${formatBytes(space.usedBytes)} of ${formatBytes(space.totalBytes)} (${percentOf(space)})`;
}

/** What devices may come to ask for, beside what is really there. */
function formatPromise({ promisedBytes, promisableBytes, state, devices }: PoolStatusDoc): string {
  const promised = formatBytes(promisedBytes);
  if (state === 'broken') return promised;
  const backed = `${promised} of ${formatBytes(promisableBytes)}`;
  if (devices.length === 0) return backed;
  if (promisedBytes <= promisableBytes) return `${backed}, every device can fill up`;
  return `${backed}: ${formatBytes(promisedBytes - promisableBytes)} more than there is`;
}

function formatOvercommit({ overcommit: { allowed, highWaterMark } }: PoolStatusDoc): string {
  return allowed ? `allowed; at ${highWaterMark}% writers wait and nothing new is made` : 'not allowed';
}

/** Rounded up, as df(1) does: what is not empty is not 0%. */
function percentOf({ usedBytes, totalBytes }: SpaceUse): string {
  return totalBytes === 0 ? '-' : `${Math.ceil((usedBytes * 100) / totalBytes)}%`;
}

/** Nothing is told twice. */
function isUntold(reason: string | undefined, warnings: readonly string[]): reason is string {
  return reason !== undefined && reason !== '' && !warnings.some((warning) => warning.includes(reason));
}

function naming(pool: string, warning: string): string {
  return warning.startsWith(`pool ${pool} `) ? warning : `pool/${pool}: ${warning}`;
}

function note(terminal: Painter, colour: Colour, word: string, text: string): string {
  return `${terminal.paint(colour, word)} ${onOneLine(text)}\n`;
}

/** What programs say has line breaks. */
export function onOneLine(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, ' '));
}

function withNotes(text: string, notes: readonly string[]): string {
  return notes.length === 0 ? text : `${text}\n${notes.join('')}`;
}
