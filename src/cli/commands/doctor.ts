/** `dunnage doctor`: what this host has, lacks, and what mends it. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ERROR_TABLE } from '../../errors/table.ts';
import { contextOf } from '../context.ts';
import { CHECKS, formatFindings, runChecks } from '../doctor/run-checks.ts';
import { systemProbes } from '../doctor/system-probes.ts';
import { defaultStateDir } from '../locations.ts';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check what this host has and lacks, and say what mends it; changes nothing')
    .option('--state-dir <dir>', 'as for up')
    .option('--runtime-dir <dir>', 'as for up')
    .addHelpText(
      'after',
      '\nThe exit code is 10 if something is missing; warnings leave it at 0.\n\nExamples:\n  $ dunnage doctor\n  $ dunnage doctor --json | jq .ok',
    )
    .action(async ({ stateDir }: { stateDir?: string }, command: Command) => {
      const context = contextOf(command);
      const findings = await runChecks(CHECKS, systemProbes(), {
        stateDir: resolve(stateDir ?? defaultStateDir(context.surroundings)),
        runtimeDir: context.runtimeDir(),
        socketPath: context.socketPath(),
      });
      const failed = findings.some(({ verdict }) => verdict === 'fail');
      context.print({ ok: !failed, checks: findings }, () => formatFindings(findings, context.terminal));
      if (failed) process.exitCode = ERROR_TABLE.MISSING_DEPENDENCY.exit;
    });
}
