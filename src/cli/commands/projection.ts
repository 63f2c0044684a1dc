/** `dunnage projection`: the whole content of a Projection from a JSON payload, or single files from files of this host. */
import type { Command } from 'commander';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { ControlClient } from '../../server/control-client.ts';
import type { ApplyResult } from '../../server/operations.ts';
import { contextOf } from '../context.ts';
import { type LocalFile, parseLocalFile, parseMode, sendLocalFiles } from '../local-files.ts';
import { readText } from '../read-input.ts';
import { formatResult } from './apply.ts';
import { addDiffCommand, addHistoryCommand, addRollbackCommand } from './projection-history.ts';

const WRITE_HELP = `
The payload: {"files": {"<path>": {"data": "<base64>", "mode": 420, "uid": 0, "gid": 0}}}
mode is decimal (420 is 0644, the default). Files that are not in the payload disappear; watchers see one change.

With --file the other files stay, and mode and owner of a replaced file too; several files are one change.

Examples:
  $ dunnage projection write web --payload payload.json
  $ render-config | dunnage projection write web --payload -
  $ dunnage projection write web --file tls/tls.crt=cert.pem --file tls/tls.key=key.pem --mode 0400
  $ curl -s https://example.org/model.bin | dunnage projection write models --file model.bin=-`;

interface WriteOptions {
  readonly payload?: string;
  readonly file?: readonly LocalFile[];
  readonly mode?: string;
}

export function addProjectionCommand(program: Command): void {
  const projection = program
    .command('projection')
    .description('write Projections; generations of every kind of object');
  addHistoryCommand(projection);
  addDiffCommand(projection);
  addRollbackCommand(projection);
  projection
    .command('write')
    .description('create a Projection, replace its whole content at once, or single files of it')
    .argument('<name>', 'name of the Projection')
    .option('--payload <file>', 'JSON file with the whole content, or - for standard input')
    .option('--file <path=localfile>', 'add or replace this file, of any length; may be repeated', collectFiles)
    .option('--mode <octal>', 'mode of the files given with --file')
    .addHelpText('after', WRITE_HELP)
    .action(async (name: string, options: WriteOptions, command: Command) => {
      const context = contextOf(command);
      const result = await write(context.client(), name, options);
      context.print(result, () => formatResult(result));
    });
}

function collectFiles(text: string, before: readonly LocalFile[] = []): readonly LocalFile[] {
  return [...before, parseLocalFile(text)];
}

async function write(client: ControlClient, name: string, { payload, file, mode }: WriteOptions): Promise<ApplyResult> {
  if ((payload === undefined) === (file === undefined)) {
    throw new DunnageError('INVALID_ARGUMENT', 'exactly one of --payload and --file is needed', {
      remedy: 'give --payload FILE for the whole content, or --file PATH=LOCALFILE for single files',
    });
  }
  if (file !== undefined) return await sendLocalFiles(client, name, file, mode === undefined ? mode : parseMode(mode));
  if (mode !== undefined) {
    throw new DunnageError('INVALID_ARGUMENT', '--mode is for --file', {
      remedy: 'the payload has a mode for each file',
    });
  }
  return await client.writeProjectionJson(name, await readText(payload ?? '-', limits.controlBodyBytesMax));
}
