/** A program that stops half-way, inside the tree, until the test has done something to the tree. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const MS_MAX = 30_000;

/**
 * Starts the program; when it has printed the line `in`, runs `meanwhile` and then sends it one line. Resolves to everything it
 * printed. Rejects with its own words if it fails or hangs.
 */
export async function stayInside(
  program: string,
  args: readonly string[],
  meanwhile: () => Promise<void>,
): Promise<string> {
  const signal = AbortSignal.timeout(MS_MAX);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  let entered: () => void = () => undefined;
  const isIn = new Promise<void>((resolve) => {
    entered = resolve;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (stdout.startsWith('in\n')) entered();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A program that ended by itself no longer reads its line.
  child.stdin.on('error', () => undefined);
  const closed = once(child, 'close') as Promise<[code: number | null]>;
  await Promise.race([isIn, closed]);
  if (stdout.startsWith('in\n')) await meanwhile();
  child.stdin.end('go\n');
  const [code] = await closed;
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}
