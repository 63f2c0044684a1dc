/** `dunnage completion`: prints the completion script of a shell. */
import { Argument, type Command } from 'commander';
import { tabulate } from '../completion/command-table.ts';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.ts';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'shell to complete for').choices([...SHELLS]))
    .addHelpText(
      'after',
      '\nExamples:\n  $ source <(dunnage completion bash)\n  $ dunnage completion fish > ~/.config/fish/completions/dunnage.fish',
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, tabulate(program)));
    });
}
