/** `dunnage delete`: removes one object from the tree. */
import type { Command } from 'commander';
import { deleteAlloc } from '../alloc-deletion.ts';
import { contextOf } from '../context.ts';
import { formatTarget, parseTarget } from '../kinds.ts';
import { deletePool } from '../pool-deletion.ts';

export function addDeleteCommand(program: Command): void {
  program
    .command('delete')
    .description('remove one object from the tree')
    .argument('<kind>', 'projection, configmap (cm), secret, alloc, pool; or KIND/NAME')
    .argument('[name]', 'name of the object')
    .option('-n, --namespace <name>', 'namespace of the object', 'default')
    .addHelpText('after', '\nExamples:\n  $ dunnage delete secret db\n  $ dunnage delete cm/web -n prod')
    .action(
      async (first: string, second: string | undefined, { namespace }: { namespace: string }, command: Command) => {
        const context = contextOf(command);
        const target = parseTarget(first, second);
        const { kind, name } = target;
        if (kind === 'Alloc') return await deleteAlloc(context, name);
        if (kind === 'Pool') return await deletePool(context, name);
        await context.client().deleteProjection(kind, namespace, name);
        context.print(
          { ...target, namespace, action: 'deleted' },
          () => `${formatTarget(target, namespace)} deleted\n`,
        );
      },
    );
}
