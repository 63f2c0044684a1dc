/** Programs that touch the mount for a test: a process of their own can be killed, a thread of the test cannot. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 20_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Runs a program to its end and returns what it printed. Throws with its own words if it fails. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    killSignal: 'SIGKILL',
  });
  return stdout;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program and collects what it prints; `ended` never rejects. */
export function begin(
  program: string,
  args: readonly string[],
): { readonly process: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, stdout, stderr: String(error) }));
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { process: child, ended };
}

/** Why real mounts cannot be tested here; undefined if they can. */
export function mountTestsSkip(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  return undefined;
}
