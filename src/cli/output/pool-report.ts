/** What a check or a repair of a pool has found, for people: sentences are long here, so it is no table. */
import type { PoolCheckReport, PoolFinding } from '../../server/pool-operations.ts';
import { onOneLine } from './pool-tables.ts';
import type { Terminal } from './terminal.ts';

type Painter = Pick<Terminal, 'paint'>;

export function formatPoolReport(report: PoolCheckReport, terminal: Painter): string {
  const { repaired, remaining, repair, notes } = report;
  const found = [
    ...repaired.map((finding) => formatFinding(terminal.paint('green', 'mended:'), finding, finding.action)),
    ...remaining.map((finding) => formatFinding(terminal.paint('red', 'found:'), finding, toDo(finding, repair))),
  ];
  const parts = [
    ...(found.length === 0 ? [] : [found.join('')]),
    `${notes.map((line) => `note: ${onOneLine(line)}\n`).join('')}${summary(report, terminal)}\n`,
  ];
  return parts.join('\n');
}

function formatFinding(word: string, { object, what }: PoolFinding, action: string): string {
  return `${word} ${onOneLine(`${object}: ${what}`)}\n  ${onOneLine(action)}\n`;
}

function toDo({ repairable, action }: PoolFinding, repair: boolean): string {
  if (repair) return `to do: ${action}`;
  return repairable ? `repair: ${action}` : `cannot be mended: ${action}`;
}

function summary({ name, driver, outcome, repaired, remaining }: PoolCheckReport, terminal: Painter): string {
  const head = `pool/${name} (${driver}):`;
  switch (outcome) {
    case 'clean':
      return `${head} ${terminal.paint('green', 'nothing is wrong.')}`;
    case 'found': {
      const mend = remaining.some(({ repairable }) => repairable)
        ? ` dunnage pool repair ${name} mends what it can.`
        : '';
      return `${head} ${terminal.paint('red', `${findings(remaining.length)}.`)}${mend}`;
    }
    case 'repaired':
      return `${head} ${terminal.paint('yellow', `${findings(repaired.length)}, all mended.`)}`;
    case 'unrepaired':
      return `${head} ${terminal.paint('red', `${repaired.length} mended, ${remaining.length} not.`)}`;
  }
}

function findings(count: number): string {
  return count === 1 ? '1 finding' : `${count} findings`;
}
