/**
 * The command line as data: every command with its options. Building it runs nothing; completion scripts and the check
 * of docs/cli.md read it too.
 */
import { Command, Option } from 'commander';
import { VERSION } from '../daemon/version.ts';
import { addAllocCommand } from './commands/alloc.ts';
import { addApplyCommand } from './commands/apply.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDeleteCommand } from './commands/delete.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDownCommand } from './commands/down.ts';
import { addFsCommand } from './commands/fs.ts';
import { addFsckCommand } from './commands/fsck.ts';
import { addGcCommand } from './commands/gc.ts';
import { addGetCommand } from './commands/get.ts';
import { addPathCommand } from './commands/path.ts';
import { addPoolCommand } from './commands/pool.ts';
import { addProjectionCommand } from './commands/projection.ts';
import { addStatusCommand } from './commands/status.ts';
import { addUpCommand } from './commands/up.ts';
import { refuseEmptyValues } from './empty-values.ts';

const HELP_END = `
Examples:
  $ dunnage up --detach                  mount the tree and return when it is live
  $ dunnage apply -f secret.yaml         project a Kubernetes Secret
  $ dunnage path secret/db --docker      the option that gives it to a container
  $ dunnage down                         unmount everything

Exit codes: 0 done, 1 internal error, 2 wrong usage or input, 3 no daemon, 4 not found, 5 state forbids it,
6 permission, 7 no space, 8 try again, 9 input/output or damage, 10 missing on this host; fsck, pool check and repair: 11 damage found,
12 all mended, 13 not all. See docs/cli.md.`;

export function buildProgram(): Command {
  const program = new Command('dunnage')
    .description('One mount per host that presents projected files to containers.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .addOption(
      new Option(
        '--socket <path>',
        'control socket of the daemon (default: $DUNNAGE_SOCKET, else <runtime-dir>/dunnage.sock)',
      ),
    )
    .option('--json', 'print results and errors as JSON')
    .option('--debug', 'show where an error came from (also with DUNNAGE_DEBUG=1)')
    .configureHelp({ showGlobalOptions: true })
    // Errors are printed in one place, in one form: output/report-error.ts.
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError(true)
    .exitOverride()
    .hook('preAction', (_program, command) => refuseEmptyValues(command))
    .addHelpText('after', HELP_END);
  addUpCommand(program);
  addDownCommand(program);
  addStatusCommand(program);
  addApplyCommand(program);
  addGetCommand(program);
  addDeleteCommand(program);
  addPathCommand(program);
  addProjectionCommand(program);
  addFsCommand(program);
  addAllocCommand(program);
  addPoolCommand(program);
  addFsckCommand(program);
  addGcCommand(program);
  addDoctorCommand(program);
  addDemoCommand(program);
  addCompletionCommand(program);
  return program;
}
