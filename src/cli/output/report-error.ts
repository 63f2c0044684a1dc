/**
 * How an error reaches the user: `dunnage: <message>`, the remedy indented below; with --json one object on stderr.
 * A stack trace only for those who ask for it.
 */
import { DunnageError, toExitCode } from '../../errors/dunnage-error.ts';
import { printable } from './table.ts';

export interface ReportOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

export function formatError(error: unknown, { json, debug }: ReportOptions): string {
  const shown = asDunnageError(error);
  const stack = debug && error instanceof Error ? stacks(error) : undefined;
  if (json) {
    const { code, message, remedy } = shown;
    const body = { code, message, ...(remedy === undefined ? {} : { remedy }), exitCode: toExitCode(shown) };
    return `${JSON.stringify({ error: stack === undefined ? body : { ...body, stack } })}\n`;
  }
  const lines = [`dunnage: ${printable(shown.message)}`];
  for (const line of shown.remedy?.split('\n') ?? []) lines.push(`  ${printable(line)}`);
  if (stack !== undefined) lines.push(stack);
  return `${lines.join('\n')}\n`;
}

/** An error that is not ours is a bug, and says so. */
export function asDunnageError(error: unknown): DunnageError {
  if (error instanceof DunnageError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DunnageError('INTERNAL', `internal error: ${reason}`, {
    remedy: 'run the command again with --debug to see where, and report it',
    cause: error,
  });
}

function stacks(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${stacks(error.cause)}` : own;
}
