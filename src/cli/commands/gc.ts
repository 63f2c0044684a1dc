/** `dunnage gc`: removes what nothing refers to any more. */
import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import type { GcHeld, GcReport } from '../../server/operations.ts';
import { contextOf } from '../context.ts';
import { type Column, formatTable } from '../output/table.ts';
import { type StateOptions, withState } from '../state-access.ts';
import { addStateOptions } from './fsck.ts';

const GC_HELP = `
The daemon does the same by itself; this is for whoever wants the room now, or wants to see who holds what.

Examples:
  $ dunnage gc --dry-run                 tell what would go and what is held by whom
  $ dunnage gc --json | jq .sizeBytes`;

interface GcOptions extends StateOptions {
  readonly dryRun?: boolean;
}

export function addGcCommand(program: Command): void {
  addStateOptions(program.command('gc').description('remove what nothing refers to any more, and tell what is held'))
    .option('--dry-run', 'only tell; change nothing')
    .addHelpText('after', GC_HELP)
    .action(async (options: GcOptions, command: Command) => {
      const context = contextOf(command);
      const dryRun = options.dryRun === true;
      const report = await withState(context, options, !dryRun, (state) => state.gc(dryRun));
      context.print(report, () => formatGarbage(report));
    });
}

const COLUMNS: readonly Column<GcHeld>[] = [
  { title: 'HELD', cell: ({ object }) => object },
  { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
  { title: 'BY', cell: ({ by }) => by },
];

export function formatGarbage(report: GcReport): string {
  const { dryRun, generations, blobs, files, sizeBytes, held, history } = report;
  const counts = [
    plural(generations, 'replaced generation'),
    plural(blobs, 'content'),
    plural(files, 'left-over file'),
  ].join(', ');
  const lines = [`${dryRun ? 'would remove' : 'removed'}: ${counts}; ${formatBytes(sizeBytes)}\n`];
  if (history.generations > 0) {
    lines.push(`kept as history: ${plural(history.generations, 'generation')} (dunnage projection history --purge)\n`);
  }
  if (held.length > 0) lines.push(`\n${formatTable(COLUMNS, held)}`);
  return lines.join('');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
