/** `dunnage demo`: the tour of examples/ on this machine. */
import type { Command } from 'commander';
import { contextOf } from '../context.ts';

interface DemoOptions {
  readonly keep?: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'see a Secret rotate inside a mount namespace and survive the death of the daemon; leaves nothing behind',
    )
    .option('--keep', 'leave the daemon running at the end')
    .addHelpText('after', '\nExamples:\n  $ sudo dunnage demo')
    .action(async (options: DemoOptions, command: Command) => {
      const { runDemo } = await import('../demo/run-demo.ts');
      await runDemo({ json: contextOf(command).json, keep: options.keep === true });
    });
}
