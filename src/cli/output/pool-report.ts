/** What a check or a repair of a pool has found, for people. */
import type { PoolCheckReport, PoolFinding } from '../../server/pool-operations.ts';
import { type Column, formatTable, printable } from './table.ts';
import type { Terminal } from './terminal.ts';

const COLUMNS: readonly Column<PoolFinding>[] = [
  { title: 'OBJECT', cell: ({ object }) => object },
  { title: 'WHAT', cell: ({ what }) => what },
];

export function formatPoolReport(report: PoolCheckReport, terminal: Pick<Terminal, 'paint'>): string {
  const { repaired, remaining, repair, notes } = report;
  const parts: string[] = [];
  if (repaired.length > 0) {
    parts.push(formatTable([...COLUMNS, { title: 'MENDED', cell: ({ action }) => action }], repaired));
  }
  if (remaining.length > 0) {
    const cell = ({ repairable, action }: PoolFinding): string =>
      repair || repairable ? action : `cannot be mended: ${action}`;
    parts.push(formatTable([...COLUMNS, { title: repair ? 'TO DO' : 'REPAIR', cell }], remaining));
  }
  const told = notes.map((line) => `note: ${printable(line)}\n`).join('');
  parts.push(`${told}${summary(report, terminal)}\n`);
  return parts.join('\n');
}

function summary(
  { name, driver, outcome, repaired, remaining }: PoolCheckReport,
  terminal: Pick<Terminal, 'paint'>,
): string {
  const head = `pool/${name} (${driver}):`;
  switch (outcome) {
    case 'clean':
      return `${head} ${terminal.paint('green', 'nothing is wrong.')}`;
    case 'found':
      return `${head} ${terminal.paint('red', `${findings(remaining.length)}.`)} Mend them with: dunnage pool repair ${name}`;
    case 'repaired':
      return `${head} ${terminal.paint('yellow', `${findings(repaired.length)}, all mended.`)}`;
    case 'unrepaired':
      return `${head} ${terminal.paint('red', `${repaired.length} mended, ${remaining.length} not.`)}`;
  }
}

function findings(count: number): string {
  return count === 1 ? '1 finding' : `${count} findings`;
}
