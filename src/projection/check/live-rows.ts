/** The rows of the live view, read so that a broken one is a finding. */
import { TolerantTable } from '../../store/check/tolerant-table.ts';
import { jsonValue, numberKey } from '../../store/codecs.ts';
import type { Store } from '../../store/store.ts';
import { isId } from './record-shapes.ts';

/** As the live view writes it: projection, parent, `f` or `d`, path. What is dead was removed through the mount, and has no name. */
export type LiveRow = readonly [projection: number, parent: number, kind: string, path: string, isDead?: true];

export function liveRows(store: Store): TolerantTable<number, LiveRow> {
  return new TolerantTable(store, {
    name: 'live-nodes',
    key: numberKey,
    value: jsonValue<LiveRow>(),
    accept: (row) =>
      Array.isArray(row) && isId(row[0]) && isId(row[1]) && 'fd'.includes(row[2]) && typeof row[3] === 'string',
  });
}
