/**
 * Two tasks of one alloc: `web` writes its log through a bind mount in a mount namespace of its own, as a container does, and
 * somebody follows it with `dunnage fs logs -f` from outside, over a rotation.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DunnageError } from '../../errors/dunnage-error.ts';

const COMMAND_LINE = fileURLToPath(new URL('../main.js', import.meta.url));
const LINES = 40;
const LOG_MS_MAX = 30_000;
/** Lines, half of them before a rotation as a log driver makes it: the next number. Says when there is a log to be followed. */
const WRITE = `mount --rbind "$1" "$2" && cd "$2/logs" && n=0
while [ $n -lt ${LINES} ]; do
  n=$((n + 1)); echo "$n order accepted" >> "web.stdout.$((n * 2 / (${LINES} + 1)))"
  [ $n -gt 1 ] || echo begun
  sleep 0.02
done`;

export interface FollowedLog {
  readonly written: number;
  readonly followed: number;
  /** Every line came once, in its order. */
  readonly isWhole: boolean;
}

export interface DemoLogsOptions {
  readonly alloc: string;
  readonly task: string;
  /** What all tasks of the alloc share, on the host. */
  readonly sharedDirectory: string;
  /** Where the writer sees it. */
  readonly inside: string;
  readonly runtimeDir: string;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** @throws DunnageError INTERNAL if one of the two fails */
export async function followLog(options: DemoLogsOptions): Promise<FollowedLog> {
  const { alloc, task, sharedDirectory, inside, runtimeDir } = options;
  await mkdir(inside, { recursive: true });
  const socket = ['--socket', `${runtimeDir}/dunnage.sock`];
  const place = ['--mount', '--propagation', 'slave', 'sh', '-c', WRITE, 'sh', sharedDirectory, inside];
  const writer = start('unshare', place);
  const children = [writer];
  const failed = Promise.race([failure(writer, 'the writer'), timeout()]);
  try {
    await Promise.race([once(writer.stdout, 'data'), failed]);
    const follower = start(process.execPath, [COMMAND_LINE, 'fs', 'logs', '-f', alloc, task, ...socket]);
    children.push(follower);
    const lines = await Promise.race([readLines(follower), failed]);
    const isWhole = lines.every((line, index) => line === `${index + 1} order accepted`);
    return { written: LINES, followed: lines.length, isWhole };
  } finally {
    for (const child of children.reverse()) await stop(child);
  }
}

function start(program: string, words: readonly string[]): Child {
  return spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function readLines(follower: Child): Promise<string[]> {
  const lines: string[] = [];
  let complaint = '';
  follower.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  for await (const line of createInterface({ input: follower.stdout })) {
    lines.push(line);
    if (lines.length === LINES) return lines;
  }
  throw new DunnageError('INTERNAL', `following the log ended after ${lines.length} lines: ${complaint.trim()}`);
}

/** Only of a process that fails. */
async function failure(child: Child, what: string): Promise<never> {
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0 || code === null) return await new Promise<never>(() => undefined);
  throw new DunnageError('INTERNAL', `${what} ended with ${code}: ${complaint.trim()}`);
}

async function timeout(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, LOG_MS_MAX).unref());
  throw new DunnageError('INTERNAL', `the log did not arrive within ${LOG_MS_MAX / 1000} s`);
}

async function stop(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
