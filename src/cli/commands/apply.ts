/** `dunnage apply`: gives manifests to the daemon, kubectl's way. */
import type { Command } from 'commander';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { AppliedObject } from '../../server/operations.ts';
import { contextOf } from '../context.ts';
import { formatTarget } from '../kinds.ts';
import { findManifests } from '../manifests.ts';
import { printable } from '../output/table.ts';
import { readText } from '../read-input.ts';

export function addApplyCommand(program: Command): void {
  program
    .command('apply')
    .description('make what manifests describe: ConfigMap, Secret (v1), Projection, Alloc, Pool (dunnage/v1)')
    .requiredOption(
      '-f, --filename <file>',
      'manifest, directory of manifests (*.yaml, *.yml, *.json, by name), or - for standard input; may be repeated',
      (file: string, files: readonly string[] | undefined) => [...(files ?? []), file],
    )
    .addHelpText(
      'after',
      '\nEach file is applied as a whole: if one of its documents is wrong, nothing of it is applied.\n' +
        '\nExamples:\n  $ dunnage apply -f secret.yaml\n  $ dunnage apply -f manifests/ -f extra.yaml\n  $ kubectl get secret db -o yaml | dunnage apply -f -',
    )
    .action(async ({ filename }: { filename: readonly string[] }, command: Command) => {
      const context = contextOf(command);
      const files = await findManifests(filename);
      const client = context.client();
      const results: AppliedObject[] = [];
      try {
        for (const file of files) {
          const manifest = await readText(file, limits.manifestBytesMax);
          const applied = await client.apply(manifest).catch((error: unknown) => {
            throw inFile(error, file);
          });
          results.push(...applied);
          if (context.json) continue;
          context.terminal.out(applied.map(formatResult).join(''));
          context.terminal.say(applied.map(formatWarnings).join(''));
        }
      } finally {
        // Also before an error: what was applied is applied.
        if (context.json && results.length > 0) context.print(results, () => '');
      }
    });
}

export function formatResult(result: AppliedObject): string {
  return `${formatTarget(result, result.namespace)} ${result.action}\n`;
}

/** For standard error: nothing if there is nothing to warn of. */
export function formatWarnings(result: AppliedObject): string {
  const target = formatTarget(result, result.namespace);
  return (result.warnings ?? []).map((warning) => `warning: ${naming(result, target, warning)}\n`).join('');
}

/** Some sentences name their object already. */
function naming({ kind, name }: AppliedObject, target: string, warning: string): string {
  return printable(warning.startsWith(`${kind.toLowerCase()} ${name} `) ? warning : `${target}: ${warning}`);
}

/** Says which file the daemon refused. An error that is not about the manifest stays as it is. */
function inFile(error: unknown, file: string): unknown {
  if (!(error instanceof DunnageError) || error.row.exit !== 2) return error;
  const name = file === '-' ? 'standard input' : file;
  const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
  return new DunnageError(error.code, `${name}: ${error.message}`, { ...remedy, cause: error });
}
