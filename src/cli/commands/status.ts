/** `dunnage status`: the daemon, its connections and what this host lacks. */
import type { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import type { ConnectionStatus, DaemonStatus } from '../../server/operations.ts';
import { contextOf } from '../context.ts';
import { type Column, formatFields, formatTable } from '../output/table.ts';
import type { Terminal } from '../output/terminal.ts';

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('show whether the daemon runs, what it serves and what this host lacks')
    .addHelpText('after', '\nExamples:\n  $ dunnage status\n  $ dunnage status --json | jq .mountPoint')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const status = await context.client().status();
      context.print(status, () => formatStatus(status, systemClock.nowMs(), context.terminal));
    });
}

const CONNECTION_COLUMNS: readonly Column<ConnectionStatus>[] = [
  { title: 'CONNECTION', cell: ({ name }) => name },
  { title: 'MOUNT', cell: ({ mountPoint }) => mountPoint },
  { title: 'PROTOCOL', cell: ({ protocol }) => protocol },
  { title: 'REQUESTS', cell: ({ requests }) => String(requests), align: 'right' },
  { title: 'UNANSWERED', cell: ({ unanswered }) => String(unanswered), align: 'right' },
  { title: 'FAILED NOTIFICATIONS', cell: ({ failedNotifications }) => String(failedNotifications), align: 'right' },
];

export function formatStatus(status: DaemonStatus, nowMs: number, terminal: Pick<Terminal, 'paint'>): string {
  const age = formatDuration(nowMs - status.startedAtMs);
  const { sealingKey, audit } = status;
  const fields = formatFields([
    [
      'Daemon',
      `running for ${age}, pid ${status.pid}, version ${status.version}${status.takenOver ? ', took over the tree' : ''}`,
    ],
    ['Holder', status.holderPid === undefined ? 'none: the tree ends with the daemon' : `pid ${status.holderPid}`],
    ['Transport', status.transport],
    ['Tree', status.mountPoint],
    ['State', `${status.stateDir} (${formatBytes(status.storeBytes)})`],
    ['Runtime', status.runtimeDir],
    ['Projections', String(status.projections)],
    ...(status.allocDir === undefined ? [] : [['Allocs', `${status.allocs} in ${status.allocDir}`] as const]),
    ...(status.pools === undefined || status.pools === 0 ? [] : [['Pools', String(status.pools)] as const]),
    ...(audit.opens + audit.lost === 0
      ? []
      : [['Audit', `${audit.opens} opens in ${audit.path}${audit.lost === 0 ? '' : `, ${audit.lost} lost`}`] as const]),
    ['Key', `${sealingKey.path} (${sealingKey.outlivesReboot ? 'kept' : 'gone after a reboot'}, ${sealingKey.id})`],
  ]);
  const warnings = status.warnings.map((warning) => `${terminal.paint('yellow', 'warning:')} ${warning}\n`).join('');
  return `${fields}\n${formatTable(CONNECTION_COLUMNS, status.connections)}${warnings === '' ? '' : `\n${warnings}`}`;
}
