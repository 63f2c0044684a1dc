/** `dunnage get`: a table of what is projected, or one object with its files. */
import { type Command, Option } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type {
  ProjectionDetail,
  ProjectionFileSummary,
  ProjectionSummary,
  ReactionsSummary,
  SourceSummary,
} from '../../server/operations.ts';
import { type CommandContext, contextOf } from '../context.ts';
import { parseKind, parseTarget } from '../kinds.ts';
import { formatAlloc, formatAllocs } from '../output/alloc-tables.ts';
import { formatMode } from '../output/octal.ts';
import { type Column, formatFields, formatTable, printable } from '../output/table.ts';
import { listPools, showPool } from '../pool-views.ts';

interface GetOptions {
  readonly namespace?: string;
  readonly output?: 'wide' | 'yaml';
}

export function addGetCommand(program: Command): void {
  program
    .command('get')
    .description('list what is projected, or show one object with its files')
    .argument('<kind>', 'projections (all kinds of them), configmaps (cm), secrets, allocs, pools; or KIND/NAME')
    .argument('[name]', 'show this object')
    .option('-n, --namespace <name>', 'namespace (default: all for a list, "default" for one object)')
    .addOption(
      new Option('-o, --output <format>', 'wide: more columns; yaml: the manifest of a pool').choices(['wide', 'yaml']),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ dunnage get projections\n  $ dunnage get secrets -n prod\n  $ dunnage get secret db\n  $ dunnage get secret/db --json\n  $ dunnage get pool fast -o yaml',
    )
    .action(async (kind: string, name: string | undefined, options: GetOptions, command: Command) => {
      if (name === undefined && !kind.includes('/')) await list(kind, options, command);
      else await show(kind, name, options, command);
    });
}

async function list(word: string, options: GetOptions, command: Command): Promise<void> {
  const context = contextOf(command);
  const kind = parseKind(word);
  if (options.output === 'yaml') throw manifestsAreOfOne();
  if (kind === 'Alloc') return await listAllocs(context);
  if (kind === 'Pool') return await listPools(context);
  const everything = await context.client().listProjections(kind === 'Projection' ? undefined : kind);
  const { namespace } = options;
  const rows = everything
    .filter((row) => namespace === undefined || row.namespace === namespace)
    .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.kind, b.kind) || compare(a.name, b.name));
  if (rows.length === 0 && !context.json) {
    context.terminal.say(`nothing found${namespace === undefined ? '' : ` in namespace ${namespace}`}\n`);
    return;
  }
  context.print(rows, () => formatList(rows, systemClock.nowMs(), options.output === 'wide'));
}

async function show(first: string, second: string | undefined, options: GetOptions, command: Command): Promise<void> {
  const context = contextOf(command);
  if (options.output === 'wide') {
    throw new DunnageError('INVALID_ARGUMENT', '--output wide is for lists', {
      remedy: 'leave out the name, or the option',
    });
  }
  const { kind, name } = parseTarget(first, second);
  if (kind === 'Pool') return await showPool(context, name, options.output === 'yaml');
  if (options.output === 'yaml') throw manifestsAreOfOne();
  if (kind === 'Alloc') {
    const alloc = await context.client().getAlloc(name);
    context.print(alloc, () => formatAlloc(alloc, systemClock.nowMs()));
    return;
  }
  const detail = await context.client().getProjection(kind, options.namespace ?? 'default', name);
  context.print(detail, () => formatDetail(detail, systemClock.nowMs()));
}

function manifestsAreOfOne(): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', '--output yaml shows the manifest of one pool', {
    remedy: 'write pool/NAME; of everything else --json shows what there is',
  });
}

export async function listAllocs(context: CommandContext): Promise<void> {
  const allocs = await context.client().listAllocs();
  if (allocs.length === 0 && !context.json) context.terminal.say('there are no allocs\n');
  else context.print(allocs, () => formatAllocs(allocs, systemClock.nowMs()));
}

/** Plain order of code units: the same everywhere, whatever the locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function formatList(rows: readonly ProjectionSummary[], nowMs: number, wide: boolean): string {
  const namespace: Column<ProjectionSummary> = { title: 'NAMESPACE', cell: (row) => row.namespace };
  const columns: Column<ProjectionSummary>[] = [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'GENERATION', cell: ({ generation }) => String(generation), align: 'right' },
    { title: 'FILES', cell: ({ files }) => String(files), align: 'right' },
    { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
    { title: 'AGE', cell: ({ createdAtMs }) => formatDuration(nowMs - createdAtMs), align: 'right' },
  ];
  if (wide || rows.some((row) => row.namespace !== 'default')) columns.unshift(namespace);
  if (wide) {
    columns.push({
      title: 'UPDATED',
      cell: ({ updatedAtMs }) => `${formatDuration(nowMs - updatedAtMs)} ago`,
      align: 'right',
    });
    columns.push({ title: 'DIRECTORY', cell: ({ directory }) => directory });
  }
  if (wide || rows.some(({ awaitingSource }) => awaitingSource)) columns.push({ title: 'STATE', cell: stateOf });
  return formatTable(columns, rows);
}

const FILE_COLUMNS: readonly Column<ProjectionFileSummary>[] = [
  { title: 'MODE', cell: ({ mode }) => formatMode(mode) },
  { title: 'OWNER', cell: ({ uid, gid }) => `${uid}:${gid}` },
  { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
  { title: 'SHA256', cell: ({ sha256 }) => sha256?.slice(0, 12) ?? '(secret)' },
  { title: 'PATH', cell: ({ path }) => path },
];

interface ReactionRow {
  readonly reaction: string;
  readonly outcome: { readonly succeeded: boolean; readonly detail: string } | undefined;
}

const REACTION_COLUMNS: readonly Column<ReactionRow>[] = [
  { title: 'ON SWAP', cell: ({ reaction }) => reaction },
  { title: 'OUTCOME', cell: ({ outcome }) => (outcome === undefined ? '-' : outcome.succeeded ? 'done' : 'FAILED') },
  { title: 'DETAIL', cell: ({ outcome }) => outcome?.detail ?? '' },
];

export function formatDetail(detail: ProjectionDetail, nowMs: number): string {
  const fields = formatFields([
    ['Name', detail.name],
    ['Kind', detail.kind],
    ['Namespace', detail.namespace],
    ['Directory', `projections/${detail.directory}`],
    ['State', stateOf(detail)],
    ...(detail.audited ? [['Audit', 'every open is written down'] as const] : []),
    ['Generation', String(detail.generation)],
    ['Files', `${detail.files} (${formatBytes(detail.sizeBytes)})`],
    ['Created', `${formatDuration(nowMs - detail.createdAtMs)} ago`],
    ['Updated', `${formatDuration(nowMs - detail.updatedAtMs)} ago`],
  ]);
  const blocks = [fields];
  if (detail.reactions !== undefined) blocks.push(formatReactions(detail.reactions, nowMs));
  if (detail.sources !== undefined) blocks.push(formatSources(detail, nowMs));
  if (detail.paths.length > 0) blocks.push(formatTable(FILE_COLUMNS, detail.paths));
  return blocks.join('\n');
}

/** Each reaction with what became of it in the last run. */
function formatReactions({ reactions, pending, runs, failures, last }: ReactionsSummary, nowMs: number): string {
  const lastRun =
    last === undefined
      ? 'none yet'
      : `${formatDuration(nowMs - last.startedAtMs)} ago for generation ${last.generation}`;
  const head = formatFields([
    ['Reactions', `${runs} ${runs === 1 ? 'run' : 'runs'}, ${failures} failed`],
    ['Last run', `${lastRun}${pending ? '; one is under way' : ''}`],
  ]);
  const rows = reactions.map((reaction, index) => {
    const outcome = last?.outcomes[index];
    // The list may have changed since.
    return { reaction, outcome: outcome?.reaction === reaction ? outcome : undefined };
  });
  return `${head}${formatTable(REACTION_COLUMNS, rows)}`;
}

/** Each source with when it was last read; below, what is wrong and what was left out. */
function formatSources({ sources = [], refreshError, warnings = [] }: ProjectionDetail, nowMs: number): string {
  const columns: readonly Column<SourceSummary>[] = [
    { title: 'SOURCE', cell: ({ source }) => source },
    {
      title: 'SEEN',
      cell: ({ seenAtMs }) => (seenAtMs === undefined ? 'never' : `${formatDuration(nowMs - seenAtMs)} ago`),
    },
    { title: 'STATE', cell: ({ error }) => (error === undefined ? 'ready' : 'failing') },
  ];
  const problems = refreshError === undefined ? [] : [`error: ${refreshError} (the content stays as it is)`];
  const notes = [...problems, ...warnings.map((warning) => `warning: ${warning}`)];
  return `${formatTable(columns, sources)}${notes.map((note) => `${printable(note)}\n`).join('')}`;
}

function stateOf({ awaitingSource }: ProjectionSummary): string {
  return awaitingSource ? 'awaiting source: apply it again' : 'ready';
}
