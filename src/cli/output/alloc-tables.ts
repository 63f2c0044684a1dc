/** Allocs as people see them. */
import { formatBytes, formatDuration } from '../../base/units.ts';
import type { AllocDetail, AllocSummary, TaskSummary } from '../../server/alloc-operations.ts';
import { type Column, formatFields, formatTable, printable } from './table.ts';

export function formatAllocs(allocs: readonly AllocSummary[], nowMs: number): string {
  const columns: Column<AllocSummary>[] = [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'TASKS', cell: ({ tasks }) => String(tasks), align: 'right' },
    { title: 'AGE', cell: ({ createdAtMs }) => formatDuration(nowMs - createdAtMs), align: 'right' },
  ];
  const notes = allocs.flatMap(({ id, notes: lines }) => lines.map((line) => `${id}: ${printable(line)}\n`)).join('');
  return `${formatTable(columns, allocs)}${notes === '' ? '' : `\n${notes}`}`;
}

const TASK_COLUMNS: readonly Column<TaskSummary>[] = [
  { title: 'TASK', cell: ({ name }) => name },
  { title: 'ISOLATION', cell: ({ isolation }) => isolation },
  { title: 'USER', cell: ({ user }) => user ?? 'nobody' },
  { title: 'SECRETS', cell: ({ secretsSizeBytes }) => formatBytes(secretsSizeBytes), align: 'right' },
  { title: 'PATH', cell: ({ path }) => path },
];

interface PresentedRow {
  readonly task: string;
  readonly name: string;
  readonly path: string;
  readonly state: string;
}

const PRESENTED_COLUMNS: readonly Column<PresentedRow>[] = [
  { title: 'PROJECTION', cell: ({ name }) => name },
  { title: 'IN', cell: ({ task, path }) => `${task}/${path}` },
  { title: 'STATE', cell: ({ state }) => printable(state) },
];

export function formatAlloc(alloc: AllocDetail, nowMs: number): string {
  const fields = formatFields([
    ['Alloc', alloc.id],
    ['State', alloc.state],
    ['Age', formatDuration(nowMs - alloc.createdAtMs)],
    ['Path', alloc.path],
    ...alloc.notes.map((note) => ['Note', printable(note)] as const),
  ]);
  const presented = alloc.tasks.flatMap(({ name: task, projections }) =>
    projections.map(({ name, path, presented: isThere, reason }) => {
      return { task, name, path, state: isThere ? 'presented' : `waits: ${reason ?? 'not yet'}` };
    }),
  );
  const projections = presented.length === 0 ? '' : `\n${formatTable(PRESENTED_COLUMNS, presented)}`;
  return `${fields}\n${formatTable(TASK_COLUMNS, alloc.tasks)}${projections}`;
}
