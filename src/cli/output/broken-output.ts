/** What happens when standard output or standard error cannot be written: a closed pipe, a full disk. */
import { fromSystemError, toExitCode } from '../../errors/dunnage-error.ts';
import { formatError, type ReportOptions } from './report-error.ts';

/** For commands that end with their result. `dunnage get secrets | head -1` is no error; a result that got lost is one. */
export function endWhenOutputBreaks(options: ReportOptions): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    const shown = fromSystemError(error, 'cannot write to standard output');
    process.stderr.write(formatError(shown, options));
    process.exit(toExitCode(shown));
  });
  // Nobody is left to be told; the exit code still says how it went.
  process.stderr.on('error', () => undefined);
}

/** For the daemon: whoever started it may stop reading, and containers must not lose their files for that. */
export function outliveBrokenOutput(): void {
  process.stdout.removeAllListeners('error').on('error', () => undefined);
}
