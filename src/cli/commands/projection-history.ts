/** `dunnage projection history`, `diff` and `rollback`: the generations that an object keeps. */
import type { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type {
  GenerationSummary,
  ProjectionHistory,
  PurgeResult,
  RollbackResult,
} from '../../server/history-operations.ts';
import { contextOf } from '../context.ts';
import { formatTarget, type ProjectionTarget, parseProjectionTarget } from '../kinds.ts';
import { countUpTo } from '../numbers.ts';
import { formatPatch } from '../output/patch-text.ts';
import { type Column, formatTable, printable } from '../output/table.ts';

const GENERATION_MAX = 999_999_999_999_999;
const NAME_HELP = 'name of a Projection, or KIND/NAME';

interface NamespaceOption {
  readonly namespace: string;
}

/** `web` is a Projection; `secret/db` says its kind. */
export function parseObject(word: string): ProjectionTarget {
  return word.includes('/') ? parseProjectionTarget(word, undefined) : { kind: 'Projection', name: word };
}

const HISTORY_HELP = `
CHANGES are files added (+), removed (-) and modified (~) since the generation before. How many are kept is said by
spec.historyLimit of a Projection and the annotation dunnage/history-limit of other objects.

Examples:
  $ dunnage projection history web
  $ dunnage projection history secret/db -n prod
  $ dunnage projection history web --purge --keep 3`;

export function addHistoryCommand(projection: Command): void {
  projection
    .command('history')
    .description('list the generations that are kept of an object, or drop the old ones')
    .argument('<name>', NAME_HELP)
    .option('-n, --namespace <name>', 'namespace of the object', 'default')
    .option('--purge', 'drop what is kept besides the live generation')
    .option(
      '--keep <count>',
      'with --purge: how many to keep, with the live one (default: 1)',
      countUpTo(GENERATION_MAX),
    )
    .addHelpText('after', HISTORY_HELP)
    .action(
      async (
        word: string,
        { namespace, purge, keep }: NamespaceOption & { purge?: boolean; keep?: number },
        command: Command,
      ) => {
        const context = contextOf(command);
        const { kind, name } = parseObject(word);
        if (purge === true) {
          const purged = await context.client().purgeHistory(kind, namespace, name, keep ?? 1);
          context.print(purged, () => formatPurge(purged));
          return;
        }
        if (keep !== undefined) {
          throw new DunnageError('INVALID_ARGUMENT', '--keep says what --purge leaves', { remedy: 'add --purge' });
        }
        const history = await context.client().projectionHistory(kind, namespace, name);
        context.print(history, () => formatHistory(history, systemClock.nowMs()));
      },
    );
}

const DIFF_HELP = `
Text is shown line by line in the form that patch(1) takes, other files and those over 1 MiB by size and digest; of a
Secret only names, modes, owners and sizes. Nothing is printed if the two are equal; the exit code is 0 either way.

Examples:
  $ dunnage projection diff web                    what the last swap changed
  $ dunnage projection diff web --from 3           generation 3 against the live one
  $ dunnage projection diff configmap/web --from 3 --to 5`;

export function addDiffCommand(projection: Command): void {
  projection
    .command('diff')
    .description('show what differs between two generations of an object')
    .argument('<name>', NAME_HELP)
    .option('-n, --namespace <name>', 'namespace of the object', 'default')
    .option('--from <generation>', 'the older one (default: the one before --to)', countUpTo(GENERATION_MAX))
    .option('--to <generation>', 'the newer one (default: the live one)', countUpTo(GENERATION_MAX))
    .addHelpText('after', DIFF_HELP)
    .action(
      async (
        word: string,
        { namespace, from, to }: NamespaceOption & { from?: number; to?: number },
        command: Command,
      ) => {
        const context = contextOf(command);
        const { kind, name } = parseObject(word);
        const diff = await context.client().diffProjection(kind, namespace, name, { from, to });
        if (!context.json) {
          const equal = diff.files.length === 0 ? ' (equal)' : '';
          context.terminal.say(
            `${formatTarget(diff, diff.namespace)}: generation ${diff.from} against ${diff.to}${equal}\n`,
          );
        }
        context.print(diff, () => formatPatch(diff.files, context.terminal));
      },
    );
}

const ROLLBACK_HELP = `
The content of the earlier generation becomes a new generation: watchers see an ordinary swap, and nothing is copied.
An immutable object cannot be rolled back.

Examples:
  $ dunnage projection rollback web
  $ dunnage projection rollback secret/db --to 4`;

export function addRollbackCommand(projection: Command): void {
  projection
    .command('rollback')
    .description('make the content of an earlier generation live again')
    .argument('<name>', NAME_HELP)
    .option('-n, --namespace <name>', 'namespace of the object', 'default')
    .option('--to <generation>', 'whose content (default: the one before the live one)', countUpTo(GENERATION_MAX))
    .addHelpText('after', ROLLBACK_HELP)
    .action(async (word: string, { namespace, to }: NamespaceOption & { to?: number }, command: Command) => {
      const context = contextOf(command);
      const { kind, name } = parseObject(word);
      const result = await context.client().rollbackProjection(kind, namespace, name, to);
      context.print(result, () => formatRollback(result));
      if (context.json) return;
      for (const warning of result.warnings) {
        context.terminal.say(`${context.terminal.paint('yellow', 'warning:')} ${printable(warning)}\n`);
      }
    });
}

const COLUMNS: readonly Column<GenerationSummary & { readonly ageMs: number }>[] = [
  { title: 'GENERATION', cell: ({ generation }) => String(generation), align: 'right' },
  { title: 'AGE', cell: ({ ageMs }) => formatDuration(ageMs), align: 'right' },
  { title: 'FILES', cell: ({ files }) => String(files), align: 'right' },
  { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
  { title: 'CHANGES', cell: ({ changes }) => (changes === undefined ? '-' : formatChanges(changes)) },
  { title: 'NOTE', cell: noteOf },
];

export function formatHistory({ generations, limit }: ProjectionHistory, nowMs: number): string {
  const rows = generations.map((row) => ({ ...row, ageMs: nowMs - row.createdAtMs }));
  return `${formatTable(COLUMNS, rows)}\n${generations.length} of at most ${limit} kept\n`;
}

function formatChanges({ added, removed, modified }: NonNullable<GenerationSummary['changes']>): string {
  const parts = [
    ['+', added],
    ['-', removed],
    ['~', modified],
  ] as const;
  const shown = parts.filter(([, files]) => files > 0).map(([mark, files]) => `${mark}${files}`);
  return shown.length === 0 ? 'none' : shown.join(' ');
}

function noteOf({ live, rollbackOf }: GenerationSummary): string {
  return [...(live ? ['live'] : []), ...(rollbackOf === undefined ? [] : [`rollback to ${rollbackOf}`])].join(', ');
}

export function formatRollback(result: RollbackResult): string {
  const target = formatTarget(result, result.namespace);
  if (result.action === 'unchanged') return `${target} unchanged: generation ${result.generation} has that content\n`;
  return `${target} rolled back to generation ${result.to}, which is now generation ${result.generation}\n`;
}

export function formatPurge(result: PurgeResult): string {
  return `${formatTarget(result, result.namespace)}: ${result.dropped.length} dropped, ${result.kept.length} kept\n`;
}
