/** Runs one command line to its exit code. Nothing escapes it: every error is printed in the one form. */
import { CommanderError } from 'commander';
import { DunnageError, toExitCode } from '../errors/dunnage-error.ts';
import { wantsDebug } from './context.ts';
import { endWhenOutputBreaks } from './output/broken-output.ts';
import { asDunnageError, formatError } from './output/report-error.ts';
import { buildProgram } from './program.ts';

/** @param words the command line without `node` and the script. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const options = { json: words.includes('--json'), debug: wantsDebug(words, process.env) };
  endWhenOutputBreaks(options);
  try {
    await buildProgram().parseAsync([...words], { from: 'user' });
    return toNumber(process.exitCode);
  } catch (error) {
    const shown = error instanceof CommanderError ? fromCommander(error) : error;
    if (shown === undefined) return 0;
    if (error instanceof CommanderError && error.code === 'commander.help') return USAGE_EXIT;
    process.stderr.write(formatError(shown, options));
    return toExitCode(asDunnageError(shown));
  }
}

const USAGE_EXIT = 2;

/** Undefined for what commander throws although nothing is wrong: help and version were asked for. */
function fromCommander(error: CommanderError): DunnageError | undefined {
  if (error.exitCode === 0) return undefined;
  const message = error.message.replace(/^error: /, '').replace(/\n(\(Did you mean .*\))$/s, ' $1');
  return new DunnageError('INVALID_ARGUMENT', message, {
    remedy: 'see: dunnage --help, dunnage COMMAND --help',
    cause: error,
  });
}

function toNumber(exitCode: number | string | null | undefined): number {
  return exitCode === undefined || exitCode === null ? 0 : Number(exitCode);
}
