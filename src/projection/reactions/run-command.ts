/**
 * Runs the program of an `exec` reaction: no shell, no standard input, a session of its own, an environment that holds
 * nothing of the daemon's. What it prints is counted and thrown away: it might print a secret, and the log must not.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import type { ExecReaction, ReactionOutcome, SwapEvent } from './reaction.ts';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Resolves when the program has ended, or was killed with everything it had started in its process group. */
export async function runCommand(
  reaction: ExecReaction,
  event: SwapEvent,
  ending: AbortSignal,
): Promise<ReactionOutcome> {
  const [program = '', ...parameters] = reaction.command;
  const child = spawn(program, parameters, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environmentOf(reaction, event),
  });
  let killedFor: string | undefined;
  const kill = (reason: string): void => {
    killedFor ??= reason;
    killGroup(child);
  };
  const timer = setTimeout(() => kill(`killed after ${reaction.timeoutMs / 1000} s (its timeout)`), reaction.timeoutMs);
  const onEnding = (): void => kill('killed because the daemon ended');
  ending.addEventListener('abort', onEnding);
  if (ending.aborted) onEnding();
  const output = countBytes(child);
  try {
    const end = await ended(child);
    const printed = `${output.sizeBytes} bytes of output`;
    return { succeeded: killedFor === undefined && end === 'exit code 0', detail: `${killedFor ?? end}, ${printed}` };
  } catch (error) {
    return { succeeded: false, detail: fromSystemError(error, `cannot run ${program}`).message };
  } finally {
    clearTimeout(timer);
    ending.removeEventListener('abort', onEnding);
    output.stop();
  }
}

export function environmentOf(reaction: ExecReaction, event: SwapEvent): Record<string, string> {
  return {
    PATH: SEARCH_PATH,
    ...reaction.environment,
    DUNNAGE_PROJECTION: event.projection,
    DUNNAGE_GENERATION: String(event.generation),
    DUNNAGE_PATH: event.path,
  };
}

/** The end of the program itself: what it leaves running in the background is not waited for. */
function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code === null ? `ended by ${signal}` : `exit code ${code}`));
  });
}

function countBytes(child: ChildProcess): { readonly sizeBytes: number; stop(): void } {
  const streams: Readable[] = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const counter = {
    sizeBytes: 0,
    stop: () => {
      for (const stream of streams) stream.destroy();
    },
  };
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      counter.sizeBytes += chunk.length;
    });
    // The program is what counts, not the pipe to it.
    stream.on('error', () => undefined);
  }
  return counter;
}

/** The session's first process is the leader of its group, which a negative number names as long as one member lives. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw fromSystemError(error, 'cannot kill a reaction');
  }
}
