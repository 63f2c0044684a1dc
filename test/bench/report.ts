/** The table of results. */
import type { Result } from './harness.ts';

const HEADINGS = ['benchmark', 'ratio', '95 % interval', 'target', '', 'baseline', 'counts'] as const;

function cells(result: Result): string[] {
  const target = `${result.better === 'higher' ? '>=' : '<='} ${result.target}`;
  if ('skipped' in result) return [result.name, '-', '-', target, 'skipped', result.baseline, result.skipped];
  const counts = Object.entries(result.counts).map(([name, value]) => `${name} ${Number(value.toFixed(4))}`);
  const interval = `${result.low.toFixed(3)} .. ${result.high.toFixed(3)}`;
  const verdict = result.isInformation === true ? 'information' : result.pass ? 'ok' : 'MISSED';
  return [result.name, result.ratio.toFixed(3), interval, target, verdict, result.baseline, counts.join(', ')];
}

/** Columns aligned by spaces, one line for each result. */
export function formatTable(results: readonly Result[]): string {
  const rows = [[...HEADINGS], ...results.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
