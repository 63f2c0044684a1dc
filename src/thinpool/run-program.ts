/** Programs that make, grow and look at file systems of pools. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DunnageError } from '../errors/dunnage-error.ts';

const run = promisify(execFile);
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const TOLD_BYTES_MAX = 2000;

export interface ProgramOptions {
  readonly timeoutMs: number;
  /** Which has it, on Debian. */
  readonly debPackage: string;
  /** Exit codes other than 0 that are answers, not failures. */
  readonly answers?: readonly number[];
}

export interface ProgramAnswer {
  readonly exitCode: number;
  /** Both its outputs. */
  readonly output: string;
}

/** @throws DunnageError MISSING_DEPENDENCY, TIMED_OUT, IO with what the program said */
export async function runProgram(
  program: string,
  words: readonly string[],
  { timeoutMs, debPackage, answers = [] }: ProgramOptions,
): Promise<ProgramAnswer> {
  try {
    const options = { timeout: timeoutMs, env: ENVIRONMENT, maxBuffer: OUTPUT_BYTES_MAX };
    const { stdout, stderr } = await run(program, [...words], options);
    return { exitCode: 0, output: `${stdout}${stderr}` };
  } catch (cause) {
    const { code, killed, stdout = '', stderr = '' } = cause as Failure;
    if (code === 'ENOENT') {
      throw new DunnageError('MISSING_DEPENDENCY', `the program ${program} is missing`, {
        remedy: `install it: apt-get install ${debPackage}`,
        cause,
      });
    }
    if (killed === true) throw new DunnageError('TIMED_OUT', `${program} does not come to an end`, { cause });
    if (typeof code === 'number' && answers.includes(code)) return { exitCode: code, output: `${stdout}${stderr}` };
    const said = (stderr.trim().slice(-TOLD_BYTES_MAX) || (cause as Error).message).replaceAll(/\s*\n\s*/g, ' ');
    throw new DunnageError('IO', `${program} ${words.at(-1)} failed: ${said}`, { cause });
  }
}

interface Failure {
  readonly code?: unknown;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}
