/** Runs the command line as its users do: a process of its own, with its own streams and exit code. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const TIMEOUT_MS = 30_000;

export function dunnage(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', environment = {}, cwd } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...environment },
      stdio: 'pipe',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
    // A command that does not read its input ends before it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
