/** `dunnage projection write`: sets the whole content of a Projection from a JSON payload. */
import type { Command } from 'commander';
import { limits } from '../../base/limits.ts';
import { contextOf } from '../context.ts';
import { readText } from '../read-input.ts';
import { formatResult } from './apply.ts';
import { addDiffCommand, addHistoryCommand, addRollbackCommand } from './projection-history.ts';

const WRITE_HELP = `
The payload: {"files": {"<path>": {"data": "<base64>", "mode": 420, "uid": 0, "gid": 0}}}
mode is decimal (420 is 0644, the default). Files that are not in the payload disappear; watchers see one change.

Examples:
  $ dunnage projection write web --payload payload.json
  $ render-config | dunnage projection write web --payload -`;

export function addProjectionCommand(program: Command): void {
  const projection = program
    .command('projection')
    .description('write Projections; generations of every kind of object');
  addHistoryCommand(projection);
  addDiffCommand(projection);
  addRollbackCommand(projection);
  projection
    .command('write')
    .description('create a Projection or replace its whole content at once')
    .argument('<name>', 'name of the Projection')
    .requiredOption('--payload <file>', 'JSON file with the content, or - for standard input')
    .addHelpText('after', WRITE_HELP)
    .action(async (name: string, { payload }: { payload: string }, command: Command) => {
      const context = contextOf(command);
      const text = await readText(payload, limits.controlBodyBytesMax);
      const result = await context.client().writeProjectionJson(name, text);
      context.print(result, () => formatResult(result));
    });
}
