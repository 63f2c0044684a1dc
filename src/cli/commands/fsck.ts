/** `dunnage fsck` and `dunnage gc`: through the daemon that uses the state directory, or in its place if none runs. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import type { FsckFinding, FsckReport } from '../../server/operations.ts';
import { contextOf } from '../context.ts';
import { type Column, formatTable } from '../output/table.ts';
import type { Terminal } from '../output/terminal.ts';
import { type StateOptions, withState } from '../state-access.ts';

/** Beyond the exit codes of errors: docs/cli.md. */
export const FSCK_EXIT: Readonly<Record<FsckReport['outcome'], number>> = {
  clean: 0,
  found: 11,
  repaired: 12,
  unrepaired: 13,
};

const FSCK_HELP = `
Without --repair nothing is changed. Exit codes: 0 nothing is wrong, 11 something is, 12 all of it was mended,
13 not all of it. What is lost stays a finding until its source is applied again.

Examples:
  $ dunnage fsck                         check everything; with or without a daemon
  $ dunnage down && dunnage fsck --repair
  $ dunnage fsck --json | jq .remaining`;

interface FsckOptions extends StateOptions {
  readonly repair?: boolean;
}

export function addFsckCommand(program: Command): void {
  addStateOptions(
    program.command('fsck').description('check everything that is stored; with --repair mend what can be mended'),
  )
    .option('--repair', 'mend what is found; what concerns more than content needs dunnage down first')
    .addHelpText('after', FSCK_HELP)
    .action(async (options: FsckOptions, command: Command) => {
      const context = contextOf(command);
      const repair = options.repair === true;
      const report = await withState(context, options, repair, (state) => state.fsck(repair));
      context.print(report, () => formatReport(report, context.terminal));
      const exit = FSCK_EXIT[report.outcome];
      if (exit !== 0) process.exitCode = exit;
    });
}

export function addStateOptions(command: Command): Command {
  return command
    .option('--state-dir <dir>', 'as for up; without it that of the running daemon, else the default')
    .option('--runtime-dir <dir>', 'as for up: where the key of Secrets is')
    .option('--key-file <file>', 'as for up, if the daemon is started with one', resolve);
}

const COLUMNS: readonly Column<FsckFinding>[] = [
  { title: 'CODE', cell: ({ code }) => code },
  { title: 'OBJECT', cell: ({ object }) => object },
  { title: 'WHAT', cell: ({ what }) => what },
];

export function formatReport(report: FsckReport, terminal: Pick<Terminal, 'paint'>): string {
  const { repaired, remaining, repair } = report;
  const parts: string[] = [];
  if (repaired.length > 0) {
    const columns = [...COLUMNS, { title: 'MENDED', cell: ({ action }: FsckFinding) => action }];
    parts.push(formatTable(columns, repaired));
  }
  if (remaining.length > 0) {
    const title = repair ? 'TO DO' : 'WITH --repair';
    const cell = (finding: FsckFinding): string => {
      return repair || finding.repairable ? finding.action : `cannot be mended: ${finding.action}`;
    };
    parts.push(formatTable([...COLUMNS, { title, cell }], remaining));
  }
  parts.push(`${summary(report, terminal)}\n`);
  return parts.join('\n');
}

function summary(report: FsckReport, terminal: Pick<Terminal, 'paint'>): string {
  const { stateDir, verifiedBlobs, verifiedBytes, unverifiableBlobs, repaired, remaining } = report;
  const checked = `${stateDir}: ${verifiedBlobs} contents (${formatBytes(verifiedBytes)}) compared with their digests`;
  const sealed = `${unverifiableBlobs} sealed with a key that is not here, checked by length only`;
  const scope = unverifiableBlobs === 0 ? checked : `${checked}, ${sealed}`;
  switch (report.outcome) {
    case 'clean':
      return `${scope}. ${terminal.paint('green', 'Nothing is wrong.')}`;
    case 'found':
      return `${scope}. ${terminal.paint('red', `${findings(remaining.length)}.`)}`;
    case 'repaired':
      return `${scope}. ${terminal.paint('yellow', `${findings(repaired.length)}, all mended.`)}`;
    case 'unrepaired':
      return `${scope}. ${terminal.paint('red', `${repaired.length} mended, ${remaining.length} not.`)}`;
  }
}

function findings(count: number): string {
  return count === 1 ? '1 finding' : `${count} findings`;
}
